use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[http]`: the prediction and operations server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// Worker threads.
    #[schemars(range(min = 1, max = 256))]
    pub workers: usize,
    /// Largest request body, after decompression, in bytes; a larger one is answered with 413.
    #[schemars(range(min = 1_024, max = 268_435_456))]
    pub body_bytes_max: usize,
    /// How long a body may take to arrive, in milliseconds; a slower one is answered with 408.
    #[schemars(range(min = 10, max = 600_000))]
    pub body_timeout_ms: u64,
    /// Most rows in one `predict` request.
    #[schemars(range(min = 1, max = 100_000))]
    pub rows_max: usize,
    /// Most connections open at a time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            workers: 1,
            body_bytes_max: 1 << 20,
            body_timeout_ms: 5_000,
            rows_max: 1_000,
            connections_max: 10_000,
        }
    }
}
