use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// How a broker is started. The default suits a test.
#[derive(Debug, Clone)]
pub struct BrokerOptions {
    /// The Java heap, in MiB (default 512). The process takes about 250 MiB more.
    pub heap_mib: u32,
    /// The port that clients connect to, on 127.0.0.1 (default: a free one).
    pub port: Option<u16>,
    /// Broker properties beside, or instead of, those of a single node. What topics get unless they say otherwise is set here
    /// too: `num.partitions`, `log.message.timestamp.type`, `log.retention.bytes`, `log.segment.bytes`…
    pub properties: BTreeMap<String, String>,
    /// How long a start may take (default 90 s: it takes 3 s, but a loaded two-core machine is slow).
    pub start_timeout: Duration,
    /// How long `stop` waits for a clean end before it kills (default 30 s).
    pub stop_timeout: Duration,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self {
            heap_mib: 512,
            port: None,
            properties: BTreeMap::new(),
            start_timeout: Duration::from_secs(90),
            stop_timeout: Duration::from_secs(30),
        }
    }
}

impl BrokerOptions {
    /// Sets one broker property.
    #[must_use]
    pub fn property(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.insert(key.into(), value.into());
        self
    }

    /// The `server.properties` of one KRaft node, broker and controller in one (KIP-500). Paths in it are relative to the data folder.
    pub(super) fn server_properties(&self, port: u16, controller_port: u16) -> String {
        let mut properties: BTreeMap<String, String> = single_node(port, controller_port)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        properties.extend(self.properties.clone());
        let mut file = String::new();
        for (key, value) in &properties {
            writeln!(file, "{}={}", escaped(key), escaped(value)).expect("writing to a string cannot fail");
        }
        file
    }
}

fn single_node(port: u16, controller_port: u16) -> [(&'static str, String); 17] {
    let broker = format!("PLAINTEXT://127.0.0.1:{port}");
    let controller = format!("127.0.0.1:{controller_port}");
    let one = || "1".to_owned();
    [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", one()),
        ("listeners", format!("{broker},CONTROLLER://{controller}")),
        ("advertised.listeners", broker),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("controller.quorum.bootstrap.servers", controller),
        ("log.dirs", "log".to_owned()),
        ("offsets.topic.replication.factor", one()),
        ("transaction.state.log.replication.factor", one()),
        ("transaction.state.log.min.isr", one()),
        ("share.coordinator.state.topic.replication.factor", one()),
        ("share.coordinator.state.topic.min.isr", one()),
        // A test has one consumer a group: waiting 3 s for more to join only costs time.
        ("group.initial.rebalance.delay.ms", "0".to_owned()),
        // After a kill the controller lets the new process in only when the session of the old one is over: 9 s by default.
        ("broker.session.timeout.ms", "4000".to_owned()),
        ("broker.heartbeat.interval.ms", "1000".to_owned()),
        // A mistyped topic is an error, not a new topic.
        ("auto.create.topics.enable", "false".to_owned()),
    ]
}

/// A key or value as `java.util.Properties.load` reads it back.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' | '=' | ':' => out.extend(['\\', c]),
            '#' | '!' | ' ' if i == 0 => out.extend(['\\', c]),
            // `Properties.load` reads bytes as ISO 8859-1.
            c if !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("writing to a string cannot fail");
                }
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_property_takes_the_place_of_the_default_one() {
        let options = BrokerOptions::default()
            .property("num.partitions", "4")
            .property("group.initial.rebalance.delay.ms", "50");

        let file = options.server_properties(20_001, 20_002);

        let lines: Vec<&str> = file.lines().collect();
        assert!(lines.contains(&"num.partitions=4"), "{file}");
        assert!(lines.contains(&"group.initial.rebalance.delay.ms=50"), "{file}");
        assert!(!lines.contains(&"group.initial.rebalance.delay.ms=0"), "{file}");
        assert!(lines.contains(&"advertised.listeners=PLAINTEXT\\://127.0.0.1\\:20001"), "{file}");
    }

    #[test]
    fn a_value_cannot_start_a_second_property() {
        let options = BrokerOptions::default().property("a", " x\nb=\\é");

        let file = options.server_properties(20_001, 20_002);

        assert!(file.lines().any(|line| line == r"a=\ x\nb\=\\\u00e9"), "{file}");
        assert!(!file.lines().any(|line| line.starts_with("b=")), "{file}");
    }
}
