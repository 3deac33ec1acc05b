//! A reason to stop a command, with the exit code it leads to.

/// Something failed.
pub(crate) const FAILURE: i32 = 1;
/// The arguments are wrong, or something must be installed first.
pub(crate) const USAGE: i32 = 2;

/// By convention the exit code of a process that a signal stopped is 128 and the signal's number.
pub(crate) const SIGNAL_BASE: i32 = 128;

/// Why a command stops, in words for the user.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Stop {
    pub(crate) fn failure(message: impl Into<String>) -> Self {
        Self { code: FAILURE, message: message.into() }
    }

    pub(crate) fn interrupted(signal: i32) -> Self {
        Self { code: SIGNAL_BASE + signal, message: "interrupted".to_owned() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }
}
