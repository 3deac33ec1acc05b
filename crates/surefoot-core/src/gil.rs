//! What one look at the interpreter's lock can see, without holding it.

/// One look at the GIL. Reading it must cost no more than a few memory loads: it is done hundreds of
/// times a second.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum GilReading {
    /// Nobody can tell: an unknown interpreter, a platform without a method, a sensor that failed
    /// its self-test.
    #[default]
    Unknown,
    /// There is no GIL in force (a free-threaded build, as long as no import switches it on).
    Off,
    /// The lock was seen.
    Seen(GilState),
}

/// The lock's state, each field read by itself (no snapshot: a torn reading is one sample's error).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GilState {
    /// Whether some thread holds it.
    pub is_held: bool,
    /// Threads of the process that are asleep waiting for it; `None` where they cannot be counted.
    pub waiters: Option<u32>,
    /// Waits begun so far (each at most one switch interval long), wrapping; `None` where they
    /// cannot be counted.
    pub waits: Option<u64>,
    /// Times that it went from one thread to another so far, wrapping; `None` where it cannot be
    /// read.
    pub switches: Option<u64>,
}

impl GilState {
    /// Whether some thread has the lock or wants it.
    pub fn is_busy(&self) -> bool {
        self.is_held || self.waiters.is_some_and(|waiters| waiters > 0)
    }
}

impl GilReading {
    /// Whether some thread has the lock or wants it; `None` where nobody can tell.
    pub fn is_busy(&self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Off => Some(false),
            Self::Seen(state) => Some(state.is_busy()),
        }
    }
}
