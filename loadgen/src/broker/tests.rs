//! Against a real Apache Kafka: without its jars these fail and say how to fetch them, they are never skipped.

use super::*;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;

/// The exit code of a Java process that ended itself on SIGTERM: 128 + 15.
const ENDED_ON_SIGTERM: i32 = 143;
const SIGKILL: i32 = 9;

fn jars() -> KafkaJars {
    KafkaJars::locate().unwrap_or_else(|missing| panic!("{missing}"))
}

/// Runs Kafka's own topic tool, a client that shares no code with ours, and gives what it printed.
fn topics(broker: &Broker, args: &[&str]) -> String {
    let output = Command::new("java")
        .args(broker.java_args())
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
        .args(["org.apache.kafka.tools.TopicCommand", "--bootstrap-server"])
        .arg(broker.address())
        .args(args)
        .current_dir(&broker.folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn topics_outlive_a_restart_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let options = BrokerOptions::default().property("num.partitions", "3");
    let mut broker = Broker::start(&jars(), folder.path(), options).unwrap();
    let address = broker.address();
    let first_pid = broker.pid().unwrap();
    topics(&broker, &["--create", "--topic", "events"]);

    broker.restart().unwrap();
    assert_ne!(broker.pid(), Some(first_pid));
    let killed = broker.kill().unwrap();
    assert_eq!(killed.signal(), Some(SIGKILL));
    assert_eq!(broker.pid(), None);
    broker.restart().unwrap();

    assert_eq!(broker.address(), address);
    let described = topics(&broker, &["--describe", "--topic", "events"]);
    assert!(described.contains("PartitionCount: 3"), "{described}");
}

#[test]
fn a_paused_broker_still_stops_cleanly_and_then_nothing_listens() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(&jars(), folder.path(), BrokerOptions::default()).unwrap();
    TcpStream::connect(broker.address()).unwrap();

    broker.pause().unwrap();
    broker.resume().unwrap();
    broker.pause().unwrap();
    let status = broker.stop().unwrap();

    assert_eq!(status.code(), Some(ENDED_ON_SIGTERM));
    assert!(TcpStream::connect(broker.address()).is_err());
    let again = broker.stop().unwrap_err();
    assert!(matches!(again, BrokerError::NotRunning { action: "stop" }), "{again}");
}

#[test]
fn a_taken_port_is_an_error_that_quotes_the_log() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options =
        BrokerOptions { port: Some(taken.local_addr().unwrap().port()), ..BrokerOptions::default() };

    let error = Broker::start(&jars(), folder.path(), options).unwrap_err();

    let message = error.to_string();
    assert!(matches!(error, BrokerError::Exited { .. }), "{message}");
    assert!(message.contains("Address already in use"), "{message}");
    assert!(message.contains("kafka.log"), "{message}");
}

#[test]
fn a_start_that_takes_too_long_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let options = BrokerOptions { start_timeout: Duration::ZERO, ..BrokerOptions::default() };

    let error = Broker::start(&jars(), folder.path(), options).unwrap_err();

    assert!(matches!(error, BrokerError::NotReady { waited_s: 0, .. }), "{error}");
}

#[test]
fn a_wrong_property_is_an_error_that_quotes_the_formatter() {
    let folder = tempfile::tempdir().unwrap();
    let options = BrokerOptions::default().property("num.partitions", "many");

    let error = Broker::start(&jars(), folder.path(), options).unwrap_err();

    let message = error.to_string();
    assert!(matches!(error, BrokerError::Format { .. }), "{message}");
    assert!(message.contains("num.partitions"), "{message}");
}

#[test]
fn a_folder_with_a_brokers_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(PROPERTIES_FILE), "node.id=7\n").unwrap();

    let error = Broker::start(&jars(), folder.path(), BrokerOptions::default()).unwrap_err();

    assert!(matches!(error, BrokerError::NotFresh { .. }), "{error}");
    let kept = fs::read_to_string(folder.path().join(PROPERTIES_FILE)).unwrap();
    assert_eq!(kept, "node.id=7\n");
}
