use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::BrokerError;

/// Runs a command and, beside it, a shell that reads from a pipe which only the parent holds: when the pipe closes without the
/// word `ended`, the parent is gone, however it died, and the command is killed. `exec` gives the command the shell's own
/// process id, which is what `$$` is inside the braces too.
const WITH_LIFELINE: &str = r#"
exec 3<&0
{ read -r word <&3; [ "$word" = ended ] || kill -KILL $$; } </dev/null >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null
"#;

const POLL: Duration = Duration::from_millis(20);

/// A child that does not outlive this process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    // Held apart from the child: `Child::wait` closes its standard input.
    lifeline: ChildStdin,
}

impl Process {
    /// Starts `program` in `folder`, its output appended to `log`. It has a process group of its own, so that Ctrl-C at a terminal
    /// reaches the parent only, which then decides.
    pub(super) fn spawn(program: &[&str], folder: &Path, log: File) -> io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", WITH_LIFELINE, "sh"])
            .args(program)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let lifeline = child.stdin.take().expect("stdin was asked to be piped");
        Ok(Self { child, lifeline })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().ok().flatten();
        if status.is_some() {
            self.release();
        }
        status
    }

    /// Waits until it ends, at most this long.
    pub(super) fn wait_for(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            let status = self.ended();
            if status.is_some() || Instant::now() >= deadline {
                return status;
            }
            thread::sleep(POLL);
        }
    }

    /// SIGKILL, and waits for the end.
    pub(super) fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.release();
        Ok(status)
    }

    /// The child is reaped and its id may be given to another: the shell that watches must not kill that one. An error means
    /// that the shell is gone already.
    fn release(&mut self) {
        let _ = self.lifeline.write_all(b"ended\n");
    }

    /// Sends a signal by its name without SIG. The child is not reaped while `self` has not seen it end, so the id is its own.
    pub(super) fn signal(&mut self, signal: &'static str) -> Result<(), BrokerError> {
        let pid = self.pid();
        let failed = |reason: String| BrokerError::Signal { signal, pid, reason };
        // The shell's own kill: a slim system may have no other.
        let output = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "sh", signal])
            .arg(pid.to_string())
            .output()
            .map_err(|e| failed(e.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing to tell anyone in a drop; what is left over dies with the lifeline.
        if self.ended().is_none() {
            let _ = self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    const SIGTERM: i32 = 15;
    const SIGKILL: i32 = 9;

    fn sleeper(folder: &Path) -> Process {
        let log = File::create(folder.join("log")).unwrap();
        let process = Process::spawn(&["sleep", "600"], folder, log).unwrap();
        let name = format!("/proc/{}/comm", process.pid());
        eventually("the shell has become the command", || {
            std::fs::read_to_string(&name).is_ok_and(|name| name == "sleep\n")
        });
        process
    }

    /// The third field of `/proc/PID/stat`: T when stopped, S when asleep, Z when dead and not yet reaped.
    fn state_of(pid: u32) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !holds() {
            assert!(Instant::now() < deadline, "never came true: {what}");
            thread::sleep(POLL);
        }
    }

    #[test]
    fn the_child_dies_when_its_parent_is_gone_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        assert!(process.wait_for(Duration::from_millis(200)).is_none());

        // What the kernel does to the pipe of a parent that was killed: every end it held is closed.
        let (_, write) = io::pipe().unwrap();
        process.lifeline = ChildStdin::from(std::os::fd::OwnedFd::from(write));

        let status = process.wait_for(Duration::from_secs(20)).unwrap();
        assert_eq!(status.signal(), Some(SIGKILL));
    }

    #[test]
    fn a_paused_child_dies_with_its_parent_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        process.signal("STOP").unwrap();

        let (_, write) = io::pipe().unwrap();
        process.lifeline = ChildStdin::from(std::os::fd::OwnedFd::from(write));

        let status = process.wait_for(Duration::from_secs(20)).unwrap();
        assert_eq!(status.signal(), Some(SIGKILL));
    }

    #[test]
    fn dropping_it_ends_the_child() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let pid = process.pid();
        assert!(state_of(pid).is_some());

        drop(process);

        assert_eq!(state_of(pid), None);
    }

    #[test]
    fn signals_reach_the_command_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        let pid = process.pid();

        process.signal("STOP").unwrap();
        eventually("it is stopped", || state_of(pid) == Some('T'));
        process.signal("CONT").unwrap();
        eventually("it goes on", || state_of(pid) == Some('S'));
        process.signal("TERM").unwrap();

        let status = process.wait_for(Duration::from_secs(20)).unwrap();
        assert_eq!(status.signal(), Some(SIGTERM));
    }
}
