//! Whether sending an output again can help.

use crate::stream::StreamError;

/// How an output was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It goes by, sooner or later.
    Passing,
    /// It stays until somebody changes the record's topic, its rights or a limit.
    Lasting,
    /// This producer will never send again.
    Fatal,
}

impl Refusal {
    /// From the text of a delivery report, which has the code's name in it.
    pub(super) fn of_report(reason: &str) -> Self {
        let code = reason.strip_prefix("Message production error: ").unwrap_or(reason);
        Self::of_code(code.split(' ').next().unwrap_or(code))
    }

    /// From the answer to queueing a record.
    pub(super) fn of_error(error: &StreamError) -> Self {
        match error {
            StreamError::Kafka(error) => match error.rdkafka_error_code() {
                Some(code) => Self::of_code(&format!("{code:?}")),
                None => Self::Passing,
            },
            _ => Self::Passing,
        }
    }

    fn of_code(name: &str) -> Self {
        match name {
            "Fatal" => Self::Fatal,
            "MessageSizeTooLarge"
            | "InvalidMessageSize"
            | "MessageBatchTooLarge"
            | "TopicAuthorizationFailed"
            | "ClusterAuthorizationFailed"
            | "UnknownTopic"
            | "UnknownTopicOrPartition"
            | "UnknownPartition"
            | "InvalidTopic"
            | "InvalidRecord"
            | "InvalidTimestamp"
            | "PolicyViolation"
            | "UnsupportedForMessageFormat" => Self::Lasting,
            _ => Self::Passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

    use super::*;

    #[test]
    fn reports_and_errors_of_the_same_code_are_refused_the_same_way() {
        for (code, expected) in [
            (Code::MessageSizeTooLarge, Refusal::Lasting),
            (Code::TopicAuthorizationFailed, Refusal::Lasting),
            (Code::UnknownPartition, Refusal::Lasting),
            (Code::UnknownTopicOrPartition, Refusal::Lasting),
            (Code::Fatal, Refusal::Fatal),
            (Code::NotEnoughReplicas, Refusal::Passing),
            (Code::MessageTimedOut, Refusal::Passing),
        ] {
            let error = KafkaError::MessageProduction(code);
            assert_eq!(Refusal::of_report(&error.to_string()), expected, "{error}");
            assert_eq!(Refusal::of_error(&StreamError::Kafka(error)), expected, "{code:?}");
        }
    }
}
