//! `tidewheel replay` as its users see it: exit codes, what it prints, and the files that it writes.

use std::path::Path;
use std::process::{Command, Output};

fn replay(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidewheel"));
    command.current_dir(folder).arg("replay").args(arguments).output().unwrap()
}

#[test]
fn a_replay_prints_a_table_writes_its_files_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let elec2 = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadgen/data/elec2.csv.gz");
    let file = elec2.to_str().unwrap();
    let output =
        replay(folder.path(), &[file, "--learner", "linear", "--report", "o.json", "--plot", "o.svg"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "no progress where nobody watches: {output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("45312 rows") && said.contains("kappa-temporal"), "{said}");

    let report = std::fs::read_to_string(folder.path().join("o.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((report["rows"].as_u64(), report["learner"].as_str()), (Some(45_312), Some("linear")));
    let accuracy = report["metrics"]["accuracy"].as_f64().unwrap();
    assert!(said.contains(&format!("{accuracy:.4}")), "{accuracy} is not in {said}");
    assert!(report["cpu_seconds"].as_f64().unwrap() > 0.0);
    let plot = std::fs::read_to_string(folder.path().join("o.svg")).unwrap();
    assert!(plot.starts_with("<svg ") && plot.contains("class=\"line model\""));
}

#[test]
fn what_cannot_be_used_ends_with_2_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.csv"), "a,b,y\n1,2,x\n3,4,z\n").unwrap();
    for (arguments, problem) in [
        (["none.csv", "--batch", "1"], "cannot read none.csv"),
        (["s.csv", "--learner", "knnn"], "did you mean \"knn\"?"),
        (["s.csv", "--target", "yy"], "target \"yy\" is not in the header"),
        (["s.csv", "--report", "no/such/o.json"], "there is no such folder"),
    ] {
        let output = replay(folder.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(problem)), (Some(2), true), "{said}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}
