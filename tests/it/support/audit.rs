use serde_json::Value;
use tidewheel_loadgen::audit::{Audit, AuditPlan, AuditTopics};

use super::Trial;

/// Lays all of a trial's topics against the journal as the command prints it; every check of the auditor must pass.
pub fn audit(trial: &Trial) -> Audit {
    let printed = trial.run("journal", &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let topic = |kind: &str| Some(trial.topic(kind));
    let topics = AuditTopics {
        events: topic("events"),
        labels: topic("labels"),
        predictions: topic("predictions"),
        examples: topic("examples"),
        alerts: topic("alerts"),
        dead_letters: topic("dead_letters"),
    };
    let plan = AuditPlan { topics, ..AuditPlan::new(trial.brokers()) };
    let audit = plan.run(Some(&mut printed.stdout.as_bytes())).unwrap();
    assert!(audit.passed(), "{audit}");
    audit
}

/// Every record that was read has exactly one account.
pub fn assert_accounts_add_up(accounts: &Value) {
    for source in ["events", "labels"] {
        let all = accounts[source].as_object().unwrap();
        let others = all.iter().filter(|(name, _)| *name != "read").map(|(_, n)| n.as_u64().unwrap());
        assert_eq!(all["read"].as_u64().unwrap(), others.sum::<u64>(), "{source}: {accounts}");
    }
}
