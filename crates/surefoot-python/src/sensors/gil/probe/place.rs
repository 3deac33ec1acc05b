//! Where in the process the GIL is, found without a table of versions.
//!
//! `CPython` exports its whole state as one object, `_PyRuntime`, "made accessible for debuggers and
//! profilers". The lock of the main interpreter lies inside it, and its first members have kept
//! their order since 3.2: the switch interval in microseconds, the last holder, whether it is
//! locked, the count of switches, then the condition and mutex that waiters sleep at, then those
//! of a forced hand-over. A thread that holds the lock knows the first three values, so it can
//! look for them; only one place may match. From 3.13 on the interpreter also publishes where its
//! members are (`_Py_DebugOffsets`): where that table's layout is known the two must agree, and on
//! a free-threaded build, whose lock is not held by anybody, it is the only way.

use std::ffi::CStr;
use std::mem::size_of;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::attach;

/// Offsets from `interval`, the first member of the lock that all builds share (64-bit systems).
const LAST_HOLDER: usize = 8;
const LOCKED: usize = 16;
const SWITCH_NUMBER: usize = 24;
const CONDITION: usize = 32;
const MUTEX: usize = CONDITION + size_of::<libc::pthread_cond_t>();
const SWITCH_CONDITION: usize = MUTEX + size_of::<libc::pthread_mutex_t>();
const END: usize = SWITCH_CONDITION + MUTEX - CONDITION + SWITCH_CONDITION - MUTEX;
/// A free-threaded build has an `int enabled` before it, padded to 8.
const ENABLED_BEFORE: usize = 8;

/// Addresses of the lock's members, all inside `_PyRuntime`, which is never unmapped: see [`find`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    interval: usize,
    /// Whether there is a member `enabled` before it.
    is_free_threaded: bool,
}

impl Place {
    /// Whether a free-threaded build has its lock in force; always, on other builds.
    #[inline]
    pub(super) fn is_enabled(self) -> bool {
        !self.is_free_threaded || word(self.interval - ENABLED_BEFORE) != 0
    }

    /// 1 locked, 0 free, else no lock yet or no more.
    #[inline]
    pub(super) fn locked(self) -> u32 {
        word(self.interval + LOCKED)
    }

    /// The interpreter's address for the thread that has it, or had it last.
    #[inline]
    pub(super) fn last_holder(self) -> u64 {
        double_word(self.interval + LAST_HOLDER)
    }

    #[inline]
    pub(super) fn switch_number(self) -> u64 {
        double_word(self.interval + SWITCH_NUMBER)
    }

    /// Reads 32 bits of the condition that waiters sleep at.
    #[inline]
    pub(super) fn condition_word(self, offset: usize) -> u32 {
        debug_assert!(offset + 4 <= MUTEX - CONDITION && offset.is_multiple_of(4));
        word(self.interval + CONDITION + offset)
    }

    /// Reads 64 bits of it.
    #[inline]
    pub(super) fn condition_double_word(self, offset: usize) -> u64 {
        debug_assert!(offset + 8 <= MUTEX - CONDITION && offset.is_multiple_of(8));
        double_word(self.interval + CONDITION + offset)
    }

    /// Where a thread that waits for the lock sleeps: the condition and its mutex.
    pub(crate) fn waiting(self) -> Range<usize> {
        self.interval + CONDITION..self.interval + SWITCH_CONDITION
    }

    /// Where a thread sleeps that was asked to let go, until another has the lock.
    pub(crate) fn handing_over(self) -> Range<usize> {
        self.interval + SWITCH_CONDITION..self.interval + END
    }

    /// The address of the condition that waiters sleep at.
    pub(super) fn condition(self) -> usize {
        self.interval + CONDITION
    }

    /// The numbers that make a place, to be kept in atomics.
    pub(super) fn into_parts(self) -> (usize, bool) {
        (self.interval, self.is_free_threaded)
    }

    /// A place from what [`Self::into_parts`] gave.
    pub(super) fn from_parts((interval, is_free_threaded): (usize, bool)) -> Self {
        Self { interval, is_free_threaded }
    }
}

/// Reads 32 bits of the interpreter's state, which other threads may be writing.
#[inline]
fn word(address: usize) -> u32 {
    // SAFETY: a 4-aligned address inside `_PyRuntime`, which stays mapped; written by atomics or by
    // aligned stores, which do not tear.
    let word = unsafe { AtomicU32::from_ptr(address as *mut u32) };
    word.load(Ordering::Relaxed)
}

/// Reads 64 bits of it.
#[inline]
fn double_word(address: usize) -> u64 {
    // SAFETY: as for `word`, and 8-aligned.
    let word = unsafe { AtomicU64::from_ptr(address as *mut u64) };
    word.load(Ordering::Relaxed)
}

/// Finds the lock. The caller holds it, unless the build is free-threaded. In words: how it was
/// found, or why not.
pub(super) fn find(py: Python<'_>) -> Result<(Place, String), String> {
    let runtime = runtime()?;
    let table = Table::read(&runtime, py.version_info().minor)?;
    let is_enabled = is_gil_enabled(py)?;
    let scanned = if is_enabled { Some(scan(py, &runtime)?) } else { None };
    let listed = table.as_ref().map(|table| table.place(&runtime)).transpose()?;
    let size = runtime.len();
    match (scanned, listed) {
        (Some(interval), Some(place)) if place.interval == interval => {
            Ok((place, format!("found in {size} bytes of _PyRuntime, as its debug offsets say")))
        }
        (Some(_), Some(_)) => Err("_PyRuntime and its debug offsets disagree".to_owned()),
        (Some(interval), None) if is_free_threaded(py) => {
            Err(format!("an unknown free-threaded build (a candidate at +{})", interval - runtime.start))
        }
        (Some(interval), None) => {
            Ok((Place { interval, is_free_threaded: false }, format!("found in {size} bytes of _PyRuntime")))
        }
        (None, Some(place)) => Ok((place, "found by the debug offsets of _PyRuntime".to_owned())),
        (None, None) => Err("switched off, and not to be found without debug offsets".to_owned()),
    }
}

/// Asks the interpreter whether its lock is in force.
///
/// No `intern!` in this file: its cell lets the GIL go while it is filled, and a process forked by
/// another thread just then would wait for it for ever.
pub(super) fn is_gil_enabled(py: Python<'_>) -> Result<bool, String> {
    if !is_free_threaded(py) {
        return Ok(true);
    }
    let ask = || {
        let sys = py.import("sys")?;
        attach::call_method(sys.as_any(), &PyString::new(py, "_is_gil_enabled"), ())?.extract::<bool>()
    };
    ask().map_err(|error| format!("sys._is_gil_enabled: {error}"))
}

/// Whether this is a free-threaded build, whatever is in force.
pub(super) fn is_free_threaded(py: Python<'_>) -> bool {
    // `Py_GIL_DISABLED` at build time shows at run time in the ABI's flags.
    let ask = || {
        let sys = py.import("sys")?;
        sys.getattr("abiflags")?.extract::<String>()
    };
    ask().is_ok_and(|flags| flags.contains('t'))
}

/// Looks for the lock's first three members; the one place that has them, or nothing.
fn scan(py: Python<'_>, runtime: &Range<usize>) -> Result<usize, String> {
    let interval_us = switch_interval_us(py)?;
    // SAFETY: attached, by `py`, so there is a current thread state.
    let holder = unsafe { ffi::PyThreadState_Get() } as u64;
    let last = runtime.end.saturating_sub(END);
    let mut found = (runtime.start..=last).step_by(8).filter(|&at| {
        double_word(at) == interval_us && double_word(at + LAST_HOLDER) == holder && word(at + LOCKED) == 1
    });
    match (found.next(), found.next()) {
        (Some(interval), None) => Ok(interval),
        (None, _) => Err("no place in _PyRuntime looks like a held lock".to_owned()),
        (Some(_), Some(_)) => Err("several places in _PyRuntime look like a held lock".to_owned()),
    }
}

fn switch_interval_us(py: Python<'_>) -> Result<u64, String> {
    let ask = || {
        let sys = py.import("sys")?;
        attach::call_method(sys.as_any(), &PyString::new(py, "getswitchinterval"), ())?.extract::<f64>()
    };
    let interval_s = ask().map_err(|error| format!("sys.getswitchinterval: {error}"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most some hours; not negative"
    )]
    Ok((interval_s * 1e6).round() as u64)
}

/// The bytes of `_PyRuntime`. Its module is pinned, so that they stay mapped.
fn runtime() -> Result<Range<usize>, String> {
    const NAME: &CStr = c"_PyRuntime";
    /// From `dlfcn.h`: `dladdr1` shall give the symbol's entry.
    const RTLD_DL_SYMENT: libc::c_int = 1;

    // SAFETY: a zero-terminated name; looking it up has no effect.
    let mut address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, NAME.as_ptr()) };
    if address.is_null() {
        // A program that embeds Python may have kept its symbols out of the global scope.
        let module = open_again(ffi::Py_GetVersion as *const libc::c_void)?;
        // SAFETY: an open module, and a name as above.
        address = unsafe { libc::dlsym(module, NAME.as_ptr()) };
    }
    if address.is_null() {
        return Err("the interpreter exports no _PyRuntime".to_owned());
    }
    // Never unloaded from here on; the handle is left open for that.
    let _ = open_again(address);
    let mut symbol: *mut libc::Elf64_Sym = std::ptr::null_mut();
    // SAFETY: plain old data, which is valid zeroed.
    let mut info = unsafe { std::mem::zeroed::<libc::Dl_info>() };
    // SAFETY: all pointers are live; the third is written a pointer of the kind that the flag names.
    let status = unsafe { libc::dladdr1(address, &raw mut info, (&raw mut symbol).cast(), RTLD_DL_SYMENT) };
    if status == 0 || symbol.is_null() || info.dli_saddr != address {
        return Err("the size of _PyRuntime is not known".to_owned());
    }
    // SAFETY: the entry is in the module's symbol table, which stays mapped.
    let size = usize::try_from(unsafe { (*symbol).st_size }).unwrap_or(0);
    let start = address as usize;
    if size < END || !start.is_multiple_of(8) {
        return Err(format!("_PyRuntime has {size} bytes, at {start:#x}"));
    }
    Ok(start..start + size)
}

/// Opens the module of this address once more, never to be unloaded.
fn open_again(address: *const libc::c_void) -> Result<*mut libc::c_void, String> {
    // SAFETY: plain old data, which is valid zeroed.
    let mut info = unsafe { std::mem::zeroed::<libc::Dl_info>() };
    // SAFETY: `info` is live; any address may be asked for.
    if unsafe { libc::dladdr(address, &raw mut info) } == 0 || info.dli_fname.is_null() {
        return Err("the interpreter's module is not known".to_owned());
    }
    let flags = libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE;
    // SAFETY: the name is the loader's own; nothing is loaded, so no initializer runs.
    let module = unsafe { libc::dlopen(info.dli_fname, flags) };
    if module.is_null() { Err("the interpreter's module cannot be opened".to_owned()) } else { Ok(module) }
}

/// What `_Py_DebugOffsets` says of the lock.
#[derive(Debug)]
struct Table {
    is_free_threaded: bool,
    /// In the interpreter's state: the pointer to its lock, and the main one's lock itself.
    lock_pointer: usize,
    lock: usize,
    /// In the lock, while the next two are in the interpreter's state again.
    enabled: usize,
    locked: usize,
    holder: usize,
}

impl Table {
    /// Reads the table that is the first member of `_PyRuntime` from 3.13 on; nothing if there is
    /// none or its layout is not known (it does not describe itself, and members were inserted).
    fn read(runtime: &Range<usize>, minor: u8) -> Result<Option<Self>, String> {
        const COOKIE: u64 = u64::from_ne_bytes(*b"xdebugpy");
        let number = |index: usize| double_word(runtime.start + 8 * index);
        let offset = |index: usize| {
            let offset = usize::try_from(number(index)).unwrap_or(usize::MAX);
            if offset < runtime.len() {
                Ok(offset)
            } else {
                Err("debug offsets beyond _PyRuntime".to_owned())
            }
        };
        let first = match minor {
            13 => 14,
            14 => 15,
            _ => return Ok(None),
        };
        if number(0) != COOKIE || (number(1) >> 16) != 0x0300 + u64::from(minor) {
            return Err("the debug offsets are not this version's".to_owned());
        }
        if number(3) != runtime.len() as u64 {
            return Err("the debug offsets and the symbol disagree on the size of _PyRuntime".to_owned());
        }
        Ok(Some(Self {
            is_free_threaded: number(2) != 0,
            lock_pointer: offset(first)?,
            lock: offset(first + 1)?,
            enabled: offset(first + 2)?,
            locked: offset(first + 3)?,
            holder: offset(first + 4)?,
        }))
    }

    /// Where it says that the main interpreter's lock is.
    fn place(&self, runtime: &Range<usize>) -> Result<Place, String> {
        let before = if self.is_free_threaded { ENABLED_BEFORE } else { 0 };
        let interval = self.lock + before;
        if (self.enabled, self.holder, self.locked) != (0, interval + LAST_HOLDER, interval + LOCKED) {
            return Err("the debug offsets describe another lock".to_owned());
        }
        // SAFETY: takes nothing; the interpreter is initialized, since we are called by it.
        let interpreter = unsafe { ffi::PyInterpreterState_Main() } as usize;
        let lock = interpreter + self.lock;
        if !runtime.contains(&interpreter) || !lock.is_multiple_of(8) || lock + before + END > runtime.end {
            return Err("the main interpreter's lock is not in _PyRuntime".to_owned());
        }
        if double_word(interpreter + self.lock_pointer) != lock as u64 {
            return Err("the main interpreter uses another lock".to_owned());
        }
        Ok(Place { interval: lock + before, is_free_threaded: self.is_free_threaded })
    }
}
