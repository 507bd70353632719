use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::stand::{PREDICT, Plan, Stand};
use crate::config::{HttpConfig, Task};

#[test]
fn while_revisions_swap_at_full_speed_every_answer_is_whole_and_none_fails() {
    let http = HttpConfig { workers: 2, ..HttpConfig::default() };
    let stand = Stand::with(Plan { task: Task::Regression, http, ..Plan::default() });
    let done = AtomicBool::new(false);
    let row = |key: usize| format!(r#"{{"features": {{"a": 1}}, "key": "k{key}"}}"#);
    let rows: Vec<String> = (0..20).map(row).collect();
    let body = format!(r#"{{"rows": [{}]}}"#, rows.join(","));
    let ask = || {
        let mut client = stand.client();
        let (mut answers, mut revisions) = (0, std::collections::BTreeSet::new());
        while !done.load(Ordering::Relaxed) {
            let reply = client.post(PREDICT, &body);
            assert_eq!(reply.status, 200, "{}", reply.text());
            let answer = reply.json();
            let revision = answer["revision"].as_f64().unwrap();
            for prediction in answer["predictions"].as_array().unwrap() {
                assert_eq!(prediction["value"].as_f64().unwrap(), revision);
            }
            let cached = client.get("/v1/models/m/predictions/k7").json();
            assert_eq!(cached["prediction"]["value"].as_f64(), cached["revision"].as_f64());
            answers += 1;
            revisions.insert(revision as u64);
        }
        (answers, revisions.len())
    };
    let (first, second) = std::thread::scope(|scope| {
        let askers = [scope.spawn(ask), scope.spawn(ask)];
        let end = Instant::now() + Duration::from_millis(700);
        // Below 2^24, so that an f32 says each number exactly.
        let mut number = 11;
        while Instant::now() < end && number < 1 << 24 {
            stand.publish(number);
            number += 1;
        }
        done.store(true, Ordering::Relaxed);
        let [first, second] = askers.map(|asker| asker.join().unwrap());
        (first, second)
    });
    for (answers, revisions) in [first, second] {
        assert!(answers > 10, "{answers} answers");
        assert!(revisions > 5, "{revisions} revisions seen in {answers} answers");
    }
    assert!(stand.serving.swaps() > 1_000);
}
