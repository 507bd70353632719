use std::time::Duration;

use serde_json::Value;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn agent() -> ureq::Agent {
    let timeout = Some(Duration::from_secs(10));
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(timeout).build().into()
}

type Result = std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn answer(result: Result) -> std::result::Result<Answer, ureq::Error> {
    let mut response = result?;
    let text = response.body_mut().read_to_string()?;
    Ok(Answer { status: response.status().as_u16(), text })
}

pub fn get(url: &str) -> std::result::Result<Answer, ureq::Error> {
    answer(agent().get(url).call())
}

pub fn post(url: &str, body: &Value) -> std::result::Result<Answer, ureq::Error> {
    answer(agent().post(url).content_type("application/json").send(body.to_string()))
}
