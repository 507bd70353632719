//! The exit codes of the contract: 2 configuration, 3 Kafka unreachable, 4 journal gap, 5 fenced, 6 state corrupt.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::{Service, Trial, assert_accounts_add_up, eventually, shared_broker};

const ROWS: u64 = 3_000;
const DAY_MS: i64 = 86_400_000;
const WITHIN: Duration = Duration::from_secs(60);

/// Starts the service, which must end by itself; its exit code and log.
fn refused(trial: &Trial) -> (i32, String) {
    let mut service = Service::start(trial);
    let code = service.wait_exit(WITHIN);
    (code, service.logged())
}

/// Some of Elec2, learned by a service that was stopped then.
fn learned(trial: &Trial, rows: std::ops::Range<u64>) {
    let mut service = Service::start(trial);
    service.wait_ready();
    let all = rows.end;
    trial.replay(rows, None).finish();
    service.wait_for_accounts(WITHIN, &[("events", "learned", all), ("labels", "matched", all)]);
    assert_eq!(service.terminate().0, 0);
}

#[test]
fn a_configuration_with_faults_is_refused_with_2_and_all_of_them() {
    let mut trial = Trial::new("127.0.0.1:1");
    trial.set("kafka.brokrs", "somewhere").set("pipeline.elec2.batch.max_rows", 0);

    let (code, log) = refused(&trial);

    assert_eq!(code, 2, "{log}");
    for word in ["brokrs", "brokers", "max_rows"] {
        assert!(log.contains(word), "no {word}: {log}");
    }
}

#[test]
fn no_kafka_at_start_is_3_after_the_configured_time_and_names_the_brokers() {
    let mut trial = Trial::new("127.0.0.1:1");
    trial.set("kafka.connect_timeout_ms", 500);

    let (code, log) = refused(&trial);

    assert_eq!(code, 3, "{log}");
    assert!(log.contains("127.0.0.1:1") && log.contains("500 ms"), "{log}");
}

#[test]
fn a_compacted_events_topic_is_refused_with_2() {
    let trial = Trial::new(shared_broker());
    trial.kafka().create_topic(&trial.topic("events"), 1, &[("cleanup.policy", "compact,delete")]);

    let (code, log) = refused(&trial);

    assert_eq!(code, 2, "{log}");
    assert!(log.contains(&trial.topic("events")) && log.contains("compact"), "{log}");
}

#[test]
fn a_missing_topic_is_refused_with_2_where_none_may_be_created() {
    let mut trial = Trial::new(shared_broker());
    trial.set("kafka.create_topics", false);

    let (code, log) = refused(&trial);

    assert_eq!(code, 2, "{log}");
    assert!(log.contains(&trial.topic("events")), "{log}");
}

#[test]
fn records_that_retention_took_before_they_were_applied_again_are_4_and_are_named_unless_told_to_go_on() {
    // Given a journal that has to be applied from its beginning, and half of its events deleted,
    let mut trial = Trial::new(shared_broker());
    trial.set("pipeline.elec2.checkpoint.every_ms", DAY_MS);
    learned(&trial, 0..ROWS);
    let half = ROWS as i64 / 2;
    trial.kafka().delete_records_before(&trial.topic("events"), half);

    // then a start is refused, and says what is missing,
    let (code, log) = refused(&trial);
    assert_eq!(code, 4, "{log}");
    for word in [format!("topic \\\"{}\\\" partition 0", trial.topic("events")), format!("offsets {half}")] {
        assert!(log.contains(&word) || log.contains(&word.replace('\\', "")), "no {word}: {log}");
    }
    let rebuild = trial.run("rebuild", &[]);
    assert_eq!(rebuild.code, Some(4), "{rebuild:?}");

    // unless it may leave out what is gone: what is there is learned again, and it goes on.
    trial.set("pipeline.elec2.journal.on_gap", "skip");
    let mut service = Service::start(&trial);
    service.wait_ready();
    let before = service.monitor()["learned"].as_u64().unwrap();
    assert!(before > ROWS / 4 && before <= ROWS / 2, "{before} were learned again of {half}");
    trial.replay(ROWS..ROWS + 100, None).finish();
    service.wait_for_accounts(WITHIN, &[("events", "learned", before + 100)]);
    assert_eq!(service.terminate().0, 0);
}

/// Sends rows while the service is paused, and deletes the first thousand of their events before it goes on.
fn overtake(trial: &Trial, service: &Service, rows: std::ops::Range<u64>) {
    let left = rows.start as i64 + 1_000;
    service.signal("STOP");
    trial.replay(rows, None).finish();
    trial.kafka().delete_records_before(&trial.topic("events"), left);
    service.signal("CONT");
}

#[test]
fn records_that_retention_takes_before_a_running_service_has_read_them_are_4_unless_told_to_go_on() {
    let mut trial = Trial::new(shared_broker());
    learned(&trial, 0..ROWS);

    let mut service = Service::start(&trial);
    service.wait_ready();
    overtake(&trial, &service, ROWS..2 * ROWS);
    let code = service.wait_exit(WITHIN);
    let log = service.logged();
    assert_eq!(code, 4, "{log}");
    // A fetch that was under way may have brought the first ones.
    assert!(log.contains("no longer has offsets") && log.contains(&format!(" to {}", ROWS + 999)), "{log}");

    trial.set("pipeline.elec2.journal.on_gap", "skip");
    let mut service = Service::start(&trial);
    service.wait_ready();
    overtake(&trial, &service, 2 * ROWS..3 * ROWS);
    let place = format!("{}/0", trial.topic("events"));
    eventually("it has read what is there", WITHIN, || {
        let next = service.monitor()["positions"][&place].take();
        if next == 3 * ROWS { Ok(()) } else { Err(next) }
    });
    let accounts = service.monitor()["accounts"].take();
    assert_accounts_add_up(&accounts);
    let read = accounts["events"]["read"].as_u64().unwrap();
    assert!((ROWS - 1_000..ROWS).contains(&read), "the last thousands, read once: {accounts}");
    assert_eq!(service.terminate().0, 0);
}

#[test]
fn topics_that_were_made_anew_under_an_old_data_folder_are_4() {
    let trial = Trial::new(shared_broker());
    learned(&trial, 0..ROWS);
    let kafka = trial.kafka();
    for kind in ["events", "labels"] {
        kafka.delete_topic(&trial.topic(kind));
        kafka.create_topic(&trial.topic(kind), 1, &[]);
    }

    let (code, log) = refused(&trial);

    assert_eq!(code, 4, "{log}");
    assert!(log.contains(".events") || log.contains(".labels"), "{log}");
}

#[test]
fn a_flipped_byte_in_an_older_segment_and_a_missing_end_of_the_journal_are_6() {
    // Given a journal of several segments that is applied from its beginning,
    let mut trial = Trial::new(shared_broker());
    trial.set("pipeline.elec2.checkpoint.every_ms", DAY_MS);
    trial.set("pipeline.elec2.journal.segment_bytes_max", 4_096);
    // Small batches, so that groups of entries are many however slow the disk is.
    trial.set("pipeline.elec2.batch.max_rows", 5);
    learned(&trial, 0..ROWS);
    let segments = trial.segments();
    assert!(segments.len() >= 3, "{segments:?}");

    // when one bit in the middle of the second one is another,
    let whole = fs::read(&segments[1]).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x10;
    fs::write(&segments[1], &flipped).unwrap();

    // then everything that reads it says so and names the file,
    let (code, log) = refused(&trial);
    assert_eq!(code, 6, "{log}");
    assert!(log.contains(segments[1].file_name().unwrap().to_str().unwrap()), "{log}");
    for command in ["rebuild", "journal"] {
        let ended = trial.run(command, &[]);
        assert_eq!(ended.code, Some(6), "{command}: {}", ended.stderr);
    }
    fs::write(&segments[1], &whole).unwrap();

    // and so it does when the last segment is gone, or one in between.
    for missing in [segments.len() - 1, 1] {
        let bytes = fs::read(&segments[missing]).unwrap();
        fs::remove_file(&segments[missing]).unwrap();
        let (code, log) = refused(&trial);
        assert_eq!(code, 6, "without {missing} of {}: {log}", segments.len());
        fs::write(&segments[missing], bytes).unwrap();
    }

    // With all of it there, it starts.
    let mut service = Service::start(&trial);
    service.wait_ready();
    assert_accounts_add_up(&service.monitor()["accounts"]);
    assert_eq!(service.terminate().0, 0);
}

#[test]
fn a_torn_end_of_the_journal_is_cut_off_and_the_service_starts() {
    let trial = Trial::new(shared_broker());
    learned(&trial, 0..ROWS);
    let last = trial.segments().pop().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes.extend([40, 0, 0, 0, 1, 2, 3, 4, b'{']);
    fs::write(&last, bytes).unwrap();

    learned_again(&trial);
}

/// Another hundred rows are learned.
fn learned_again(trial: &Trial) {
    learned(trial, ROWS..ROWS + 100);
    trial.rebuild(&["--from-nothing"]);
}

#[test]
fn a_second_process_on_the_same_data_folder_is_refused_with_5_and_the_first_goes_on() {
    let trial = Trial::new(shared_broker());
    let mut first = Service::start(&trial);
    first.wait_ready();

    let (code, log) = refused(&trial);

    assert_eq!(code, 5, "{log}");
    assert!(log.contains("owned by another process"), "{log}");
    trial.replay(0..ROWS, None).finish();
    first.wait_for_accounts(WITHIN, &[("events", "learned", ROWS)]);
    assert_eq!(first.terminate().0, 0);
}

#[test]
fn a_key_that_the_state_was_made_for_is_refused_with_2_when_it_changes_and_reset_begins_untrained() {
    // Given a trained model,
    let mut trial = Trial::new(shared_broker());
    learned(&trial, 0..ROWS);
    let before = trial.run("journal", &[]).stdout.lines().count();

    // when a feature is no longer one,
    let mut features = vec!["date", "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand"];
    trial.set("pipeline.elec2.schema.features", toml::Table::new());
    for name in features.drain(..) {
        trial.set(&format!("pipeline.elec2.schema.features.{name}"), "numeric");
    }

    // then a start is refused and names the key, and nothing is written;
    let (code, log) = refused(&trial);
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("schema.features") && log.contains("--reset model"), "{log}");
    assert_eq!(trial.run("journal", &[]).stdout.lines().count(), before);

    // but when it is told to, it begins untrained, in the same journal, and learns on;
    let mut service = Service::start_with(&trial, &["--reset", "model"]);
    service.wait_ready();
    assert_eq!(service.monitor()["examples"], 0, "no example is scored yet");
    trial.replay(ROWS..2 * ROWS, None).finish();
    let all = [("events", "read", 2 * ROWS), ("events", "learned", 2 * ROWS)];
    assert_accounts_add_up(&service.wait_for_accounts(WITHIN, &all));
    assert_eq!(service.monitor()["examples"], ROWS);
    let features = &service.get("/v1/models/elec2").json()["features"];
    assert_eq!(features.as_array().unwrap().len(), 7, "{features}");
    assert_eq!(service.terminate().0, 0);

    // both the journal and the last version tell of it, and no further reset is needed.
    let journal = trial.run("journal", &[]).stdout;
    let controls = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let resets: Vec<_> = controls.filter(|entry| entry["action"] == json!("reset_model")).collect();
    assert_eq!(resets.len(), 1, "{resets:?}");
    assert!(resets[0]["why"].as_str().unwrap().contains("schema.features"), "{resets:?}");
    assert_eq!(trial.rebuild(&[]), trial.rebuild(&["--from-nothing"]));
    let mut service = Service::start(&trial);
    service.wait_ready();
    assert_eq!(service.terminate().0, 0);
}
