//! Sees to it that what a task makes does not inherit its worker's mask.
//!
//! `CPython` announces most makings of threads and processes to audit hooks, in the thread that is
//! about to make them. Ours is a C function that looks at the event's name and at one thread-local;
//! once set it stays for the life of the process, as all audit hooks do. What is not announced is
//! wrapped in `surefoot.children`, which calls [`announce_child`]; a `fork` by native code runs
//! handlers of the C library. See `docs/explanation/placement.md` for what is left.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use pyo3::prelude::*;

use super::keeper::Keeper;

struct OwnSeat {
    keeper: Arc<Keeper>,
    thread_id: u64,
}

thread_local! {
    /// Set in workers of pools that may be gathered.
    static SEAT: RefCell<Option<OwnSeat>> = const { RefCell::new(None) };
    /// The thread being made is ours.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn remember_seat(keeper: &Arc<Keeper>, thread_id: u64) {
    SEAT.set(Some(OwnSeat { keeper: Arc::clone(keeper), thread_id }));
}

pub(super) fn leave_seat() {
    drop(SEAT.try_with(RefCell::take));
}

fn with_seat(act: impl FnOnce(&OwnSeat)) {
    // A thread that is ending has no seat any more.
    let _ = SEAT.try_with(|seat| {
        if let Ok(seat) = seat.try_borrow()
            && let Some(seat) = &*seat
            && seat.keeper.is_here()
        {
            act(seat);
        }
    });
}

fn child_is_near() {
    if !IS_OURS.try_with(Cell::get).unwrap_or(false) {
        with_seat(|seat| seat.keeper.disturb(seat.thread_id));
    }
}

/// Makes a thread of ours, from whatever thread this is: it starts out free.
pub(crate) fn as_ourselves<T>(make: impl FnOnce() -> T) -> T {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            IS_OURS.set(self.0);
            with_seat(|seat| seat.keeper.step_back(seat.thread_id));
        }
    }
    with_seat(|seat| seat.keeper.step_aside(seat.thread_id));
    let _back = Back(IS_OURS.replace(true));
    make()
}

/// Says that the calling thread is about to make a thread or a process.
#[pyfunction]
pub(crate) fn announce_child() {
    child_is_near();
}

/// Begins to watch for what tasks make; once for the process.
///
/// # Errors
/// If another audit hook forbids to add one: then nothing may be gathered.
#[pyfunction]
pub(crate) fn guard_children(py: Python<'_>) -> PyResult<()> {
    hooks::set(py)
}

#[cfg(target_os = "linux")]
mod hooks {
    use std::ffi::{CStr, c_char, c_int, c_void};

    use pyo3::exceptions::PyOSError;
    use pyo3::ffi;
    use pyo3::prelude::*;

    use super::child_is_near;

    /// Whether something of that name may end in a thread or a process, or reads what cores there are:
    /// native libraries do so when they are loaded.
    fn makes_children(event: &[u8]) -> bool {
        matches!(
            event,
            b"_thread.start_new_thread"
                | b"_thread.start_joinable_thread"
                | b"subprocess.Popen"
                | b"os.fork"
                | b"os.forkpty"
                | b"os.posix_spawn"
                | b"os.spawn"
                | b"os.system"
                | b"os.exec"
                | b"pty.spawn"
                | b"import"
                | b"ctypes.dlopen"
        )
    }

    unsafe extern "C" fn audit(event: *const c_char, _: *mut ffi::PyObject, _: *mut c_void) -> c_int {
        // SAFETY: the interpreter passes the event's name, which lives for the call.
        if makes_children(unsafe { CStr::from_ptr(event) }.to_bytes()) {
            child_is_near();
        }
        0
    }

    extern "C" fn before_fork() {
        child_is_near();
    }

    type Hook = unsafe extern "C" fn(*const c_char, *mut ffi::PyObject, *mut c_void) -> c_int;

    unsafe extern "C" {
        // Not in PyO3's bindings; part of CPython's API since 3.8.
        fn PySys_AddAuditHook(hook: Hook, data: *mut c_void) -> c_int;
    }

    pub(super) fn set(py: Python<'_>) -> PyResult<()> {
        // SAFETY: attached, by `py`; the hook is a plain function that lives as long as this module,
        // which is never unloaded.
        if unsafe { PySys_AddAuditHook(audit, std::ptr::null_mut()) } != 0 {
            return Err(PyErr::fetch(py));
        }
        // SAFETY: the handler lives as long as this module, which is never unloaded.
        match unsafe { libc::pthread_atfork(Some(before_fork), None, None) } {
            0 => Ok(()),
            code => Err(PyOSError::new_err(code)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod hooks {
    use pyo3::prelude::*;

    pub(super) fn set(_py: Python<'_>) -> PyResult<()> {
        Ok(())
    }
}
