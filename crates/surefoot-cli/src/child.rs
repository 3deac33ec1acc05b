//! Runs one Python process to its end, its time limit or an interruption, whichever comes first.
//!
//! The child leads a process group of its own. So Ctrl-C in a terminal reaches us alone, and we decide; and
//! whatever helper processes the child has started go with it.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::clock;

/// How soon an interruption is noticed. Not critical: it is felt at the keyboard only.
const POLL: Duration = Duration::from_millis(50);
/// How long killed processes may take to end. Only one that has left its process group ever takes longer.
const SETTLE: Duration = Duration::from_secs(5);

/// How a child ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// By itself.
    Ended { status: ExitStatus, stdout: String, stderr: String },
    /// Stopped by us at its time limit.
    TimedOut,
    /// Stopped by us because this signal arrived.
    Interrupted(i32),
}

/// An interpreter, and how to learn that the user wants to stop.
#[derive(Clone, Copy)]
pub(crate) struct Python<'a> {
    pub(crate) program: &'a Path,
    /// The signal that asks to stop, once it has arrived.
    pub(crate) signal: &'a dyn Fn() -> Option<i32>,
    /// Variables that it has beside ours.
    pub(crate) environment: &'a [(&'a str, String)],
}

impl Python<'_> {
    /// Runs it with `args` and waits, at most `timeout`.
    ///
    /// # Errors
    ///
    /// If the process cannot be started or waited for.
    pub(crate) fn execute(&self, args: &[String], timeout: Duration) -> io::Result<Ending> {
        let deadline = clock::now() + timeout;
        let mut child = Command::new(self.program)
            .args(args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (sender, receiver) = mpsc::channel();
        let started = drain(child.stdout.take(), Stream::Stdout, sender.clone())
            .and_then(|()| drain(child.stderr.take(), Stream::Stderr, sender));
        if let Err(error) = started {
            stop(&mut child, &receiver)?;
            return Err(error);
        }
        let (mut stdout, mut stderr) = (String::new(), String::new());
        loop {
            match receiver.recv_timeout(POLL) {
                Ok((Stream::Stdout, text)) => stdout = text,
                Ok((Stream::Stderr, text)) => stderr = text,
                // Both streams have ended, and with them the child.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(signal) = (self.signal)() {
                stop(&mut child, &receiver)?;
                return Ok(Ending::Interrupted(signal));
            }
            if clock::now() >= deadline {
                stop(&mut child, &receiver)?;
                return Ok(Ending::TimedOut);
            }
        }
        let status = child.wait()?;
        Ok(Ending::Ended { status, stdout, stderr })
    }
}

/// Arguments of a process.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Says in a few words what went wrong, from what a failed child wrote.
pub(crate) fn complaint(status: ExitStatus, stdout: &str, stderr: &str) -> String {
    let reported = serde_json::from_str::<serde_json::Value>(stdout).ok();
    let reported = reported.as_ref().and_then(|report| report.get("error")?.as_str());
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
    match reported.or(last) {
        Some(text) => text.trim().to_owned(),
        None => format!("it ended without a word ({status})"),
    }
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Stdout,
    Stderr,
}

/// Reads a stream to its end on a thread of its own: a child that fills one pipe while we read the other
/// would stop for ever.
fn drain<R: Read + Send + 'static>(
    source: Option<R>,
    stream: Stream,
    sender: Sender<(Stream, String)>,
) -> io::Result<()> {
    let Some(mut source) = source else { return Ok(()) };
    let read = move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = source.read_to_end(&mut bytes);
        let _ = sender.send((stream, String::from_utf8_lossy(&bytes).into_owned()));
    };
    thread::Builder::new().name(format!("surefoot-{stream:?}").to_lowercase()).spawn(read).map(drop)
}

/// Kills the child and its process group, reaps the child, and waits until both streams have ended: then its
/// helpers are gone as well, and cannot disturb the next run.
fn stop(child: &mut Child, receiver: &Receiver<(Stream, String)>) -> io::Result<()> {
    if let Ok(group) = libc::pid_t::try_from(child.id()) {
        // SAFETY: kill has no memory preconditions. The child has not been reaped, so its id, and with it the
        // group's, cannot belong to anyone else.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
    child.kill()?;
    child.wait()?;
    while receiver.recv_timeout(SETTLE).is_ok() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Far longer than any test takes: a hang becomes a failure.
    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, timeout: Duration, signal: &dyn Fn() -> Option<i32>) -> Ending {
        let python = Python { program: Path::new("/bin/sh"), signal, environment: &[] };
        python.execute(&["-c".to_owned(), script.to_owned()], timeout).unwrap()
    }

    #[test]
    fn both_streams_and_the_status_come_back() {
        let ending = shell("echo out; echo err >&2; exit 3", LONG, &|| None);
        let Ending::Ended { status, stdout, stderr } = ending else { panic!("{ending:?}") };
        assert_eq!((status.code(), stdout.as_str(), stderr.as_str()), (Some(3), "out\n", "err\n"));
        assert_eq!(complaint(status, &stdout, &stderr), "err");
        assert_eq!(complaint(status, r#"{"error": "no threads"}"#, "err"), "no threads");
    }

    #[test]
    fn more_than_a_pipe_holds_does_not_block() {
        let ending = shell("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero", LONG, &|| None);
        let Ending::Ended { stdout, stderr, .. } = ending else { panic!("{ending:?}") };
        assert_eq!((stdout.len(), stderr.len()), (300_000, 300_000));
    }

    #[test]
    fn a_child_is_stopped_at_its_time_limit() {
        let ending = shell("sleep 600", Duration::from_millis(200), &|| None);
        assert!(matches!(ending, Ending::TimedOut), "{ending:?}");
    }

    #[test]
    fn an_interruption_stops_the_child_and_its_helpers() {
        let note = std::env::temp_dir().join(format!("surefoot-child-test-{}", std::process::id()));
        let helper = || fs::read_to_string(&note).ok()?.strip_suffix('\n').map(str::to_owned);
        let script = format!("sleep 600 & echo $! > '{}'; wait", note.display());
        let ending = shell(&script, LONG, &|| helper().map(|_| libc::SIGINT));
        let pid = helper();
        let _ = fs::remove_file(&note);
        assert!(matches!(ending, Ending::Interrupted(libc::SIGINT)), "{ending:?}");
        // Gone, or dead and not yet reaped by whoever adopted it; a killed process may still have to be run to die.
        let place = format!("/proc/{}/stat", pid.unwrap());
        let since = clock::now();
        loop {
            let stat = fs::read_to_string(&place).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") || stat.contains(") X ") {
                break;
            }
            assert!(since.elapsed() < LONG, "{stat}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let python = Python { program: Path::new("/nonexistent/python"), signal: &|| None, environment: &[] };
        assert!(python.execute(&[], LONG).is_err());
    }
}
