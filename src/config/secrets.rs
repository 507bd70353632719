//! Which properties are secrets, and how they are shown.

use std::collections::BTreeMap;
use std::fmt;

/// Parts of names whose values are secrets: librdkafka's `sasl.password`, `ssl.key.password`, `ssl.key.pem`,
/// `ssl.keystore.password`, `sasl.oauthbearer.client.secret`, `sasl.oauthbearer.config` and their relatives.
const SECRET_PARTS: [&str; 10] = [
    "jaas",
    "password",
    "passphrase",
    "passwd",
    "secret",
    "credential",
    "token",
    "key.pem",
    "key_pem",
    "oauthbearer.config",
];

pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_PARTS.iter().any(|part| name.contains(part))
}

/// Properties as `name=value, …` (`Display`) or a map (`Debug`), with `***` in the place of secrets.
pub struct Masked<'a>(pub &'a BTreeMap<String, String>);

impl Masked<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let shown = |name: &str, value| if is_secret(name) { "***" } else { value };
        self.0.iter().map(move |(name, value)| (name.as_str(), shown(name, value.as_str())))
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pairs()).finish()
    }
}

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, value)) in self.pairs().enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, KafkaConfig};

    const SECRETS: [&str; 8] = [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "SASL.PASSWORD",
    ];

    fn kafka() -> KafkaConfig {
        let mut properties: BTreeMap<String, String> =
            SECRETS.iter().map(|name| (name.to_string(), "hunter2".to_string())).collect();
        properties.insert("security.protocol".into(), "SASL_SSL".into());
        KafkaConfig { properties, ..KafkaConfig::default() }
    }

    #[test]
    fn no_way_of_printing_a_configuration_shows_a_secret() {
        let kafka = kafka();
        let config = Config {
            data: Default::default(),
            http: Default::default(),
            kafka: kafka.clone(),
            log: Default::default(),
            pipeline: BTreeMap::new(),
        };
        for text in [
            format!("{kafka:?}"),
            format!("{kafka:#?}"),
            format!("{config:?}"),
            format!("{config:#?}"),
            Masked(&kafka.properties).to_string(),
        ] {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("SASL_SSL"), "what is no secret is shown: {text}");
            assert_eq!(text.matches("***").count(), SECRETS.len(), "{text}");
        }
    }
}
