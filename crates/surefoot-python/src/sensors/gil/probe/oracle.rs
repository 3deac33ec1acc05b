//! The time that threads spend waiting for the GIL, exactly: for tests of the other methods only.
//!
//! The interpreter calls `pthread_cond_timedwait` through a slot of its module's global offset
//! table. The slot is pointed at a function of ours that reads the clock before and after. Invasive,
//! never undone, and never used unless a test asks for it.

use std::ffi::CStr;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use surefoot_core::clock;

static CONDITION: AtomicUsize = AtomicUsize::new(0);
static WAITED_NS: AtomicU64 = AtomicU64::new(0);
static ROUNDS: AtomicU64 = AtomicU64::new(0);
static IS_INSTALLED: AtomicBool = AtomicBool::new(false);

#[cfg(target_arch = "x86_64")]
const SLOT_KINDS: [u64; 2] = [6, 7];
#[cfg(target_arch = "aarch64")]
const SLOT_KINDS: [u64; 2] = [1025, 1026];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const SLOT_KINDS: [u64; 0] = [];

/// Waits that have ended since [`install`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waited {
    pub(crate) waited_ns: u64,
    /// Each at most one switch interval long.
    pub(crate) rounds: u64,
}

/// What was counted so far.
pub(crate) fn waited() -> Waited {
    Waited { waited_ns: WAITED_NS.load(Ordering::Relaxed), rounds: ROUNDS.load(Ordering::Relaxed) }
}

unsafe extern "C-unwind" {
    /// The C library's own; it may unwind, since a wait is a cancellation point.
    fn pthread_cond_timedwait(
        condition: *mut libc::pthread_cond_t,
        mutex: *mut libc::pthread_mutex_t,
        deadline: *const libc::timespec,
    ) -> libc::c_int;
}

/// Runs in place of the C library's function, under the GIL's mutex: nothing slow, nothing that may
/// block or panic.
unsafe extern "C-unwind" fn timed(
    condition: *mut libc::pthread_cond_t,
    mutex: *mut libc::pthread_mutex_t,
    deadline: *const libc::timespec,
) -> libc::c_int {
    let begin_ns = clock::now_ns();
    // SAFETY: the caller's own arguments, handed on.
    let status = unsafe { pthread_cond_timedwait(condition, mutex, deadline) };
    if condition as usize == CONDITION.load(Ordering::Relaxed) {
        WAITED_NS.fetch_add(clock::now_ns().saturating_sub(begin_ns), Ordering::Relaxed);
        ROUNDS.fetch_add(1, Ordering::Relaxed);
    }
    status
}

/// Puts the function in place, once. `condition` is the GIL's, inside the module to be changed.
///
/// # Errors
/// Why it cannot be done, in words; nothing has been changed then.
pub(super) fn install(condition: usize) -> Result<(), String> {
    if IS_INSTALLED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    CONDITION.store(condition, Ordering::Relaxed);
    // The clock's zero must not be made inside the function.
    clock::now_ns();
    let module = Module::of(condition).ok_or("the interpreter's module is not known")?;
    let slots = module.slots(c"pthread_cond_timedwait")?;
    if slots.is_empty() {
        return Err("the interpreter does not call pthread_cond_timedwait through a slot".to_owned());
    }
    slots.into_iter().try_for_each(|slot| module.write(slot, timed as *const () as usize))
}

/// From `elf.h`; not in the libc crate.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Dynamic {
    tag: i64,
    value: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Relocation {
    offset: u64,
    info: u64,
    addend: i64,
}

/// A loaded module.
#[derive(Debug, Default)]
struct Module {
    address: usize,
    base: usize,
    dynamic: usize,
    /// Read-only once relocated.
    sealed: std::ops::Range<usize>,
}

impl Module {
    /// The module that has this address.
    fn of(address: usize) -> Option<Self> {
        let mut module = Self { address, ..Self::default() };
        // SAFETY: the callback gets `module`, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut module).cast()) };
        (module.dynamic != 0).then_some(module)
    }

    /// The values of the dynamic section that `tag`s name.
    fn dynamic<const N: usize>(&self, tags: [i64; N]) -> [u64; N] {
        let mut values = [0; N];
        let mut at = self.dynamic as *const Dynamic;
        loop {
            // SAFETY: inside the section, which a zero tag ends.
            let entry = unsafe { *at };
            if entry.tag == 0 {
                return values;
            }
            if let Some(index) = tags.iter().position(|tag| *tag == entry.tag) {
                values[index] = entry.value;
            }
            // SAFETY: the entry was not the last.
            at = unsafe { at.add(1) };
        }
    }

    /// The loader relocates the section's addresses on most systems.
    fn absolute(&self, value: u64) -> usize {
        let address = usize::try_from(value).unwrap_or(0);
        if address < self.base { address + self.base } else { address }
    }

    /// The slots that calls of `name` go through.
    fn slots(&self, name: &CStr) -> Result<Vec<usize>, String> {
        const NAMES: i64 = 5;
        const SYMBOLS: i64 = 6;
        const RELOCATIONS: i64 = 7;
        const RELOCATIONS_SIZE: i64 = 8;
        const CALLS: i64 = 23;
        const CALLS_SIZE: i64 = 2;
        let [names, symbols, relocations, relocations_size, calls, calls_size] =
            self.dynamic([NAMES, SYMBOLS, RELOCATIONS, RELOCATIONS_SIZE, CALLS, CALLS_SIZE]);
        if names == 0 || symbols == 0 {
            return Err("the interpreter's module has no symbols".to_owned());
        }
        let (names, symbols) = (self.absolute(names), self.absolute(symbols) as *const libc::Elf64_Sym);
        let mut slots = Vec::new();
        for (table, size) in [(calls, calls_size), (relocations, relocations_size)] {
            let first = self.absolute(table) as *const Relocation;
            let count = usize::try_from(size).unwrap_or(0) / size_of::<Relocation>();
            for index in 0..if table == 0 { 0 } else { count } {
                // SAFETY: below the count that the section states.
                let at = unsafe { first.add(index) };
                // SAFETY: an entry of a mapped table.
                let relocation = unsafe { *at };
                if !SLOT_KINDS.contains(&(relocation.info & 0xffff_ffff)) {
                    continue;
                }
                let symbol = usize::try_from(relocation.info >> 32).unwrap_or(0);
                // SAFETY: the relocation names a symbol of its module.
                let symbol = unsafe { symbols.add(symbol) };
                // SAFETY: an entry of a mapped table.
                let place = unsafe { (*symbol).st_name } as usize;
                // SAFETY: a zero-terminated string of the module's table.
                let found = unsafe { CStr::from_ptr((names + place) as *const libc::c_char) };
                if found == name {
                    slots.push(self.base + usize::try_from(relocation.offset).unwrap_or(0));
                }
            }
        }
        Ok(slots)
    }

    /// Writes a slot, whose page may have been sealed.
    fn write(&self, slot: usize, value: usize) -> Result<(), String> {
        // SAFETY: takes a number and cannot fail for this one.
        let page_size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let page = (slot & !(page_size - 1)) as *mut libc::c_void;
        let is_sealed = self.sealed.contains(&slot);
        let protect = |flags| {
            // SAFETY: the page of a slot, mapped with the module.
            if unsafe { libc::mprotect(page, page_size, flags) } == 0 {
                Ok(())
            } else {
                Err(format!("mprotect: {}", std::io::Error::last_os_error()))
            }
        };
        if is_sealed {
            protect(libc::PROT_READ | libc::PROT_WRITE)?;
        }
        // SAFETY: an aligned slot in writable memory; calls through it load it whole.
        let slot = unsafe { AtomicUsize::from_ptr(slot as *mut usize) };
        // Relaxed: what the function uses was written before by this thread, which holds the GIL.
        slot.store(value, Ordering::Relaxed);
        if is_sealed { protect(libc::PROT_READ) } else { Ok(()) }
    }
}

unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    module: *mut libc::c_void,
) -> libc::c_int {
    // SAFETY: the loader's own record, valid during the call.
    let info = unsafe { &*info };
    // SAFETY: what `Module::of` handed in, used by nobody else meanwhile.
    let module = unsafe { &mut *module.cast::<Module>() };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader's table of that many entries.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    let base = usize::try_from(info.dlpi_addr).unwrap_or(0);
    let range = |header: &libc::Elf64_Phdr| {
        let start = base + usize::try_from(header.p_vaddr).unwrap_or(0);
        start..start + usize::try_from(header.p_memsz).unwrap_or(0)
    };
    if !headers.iter().any(|header| header.p_type == libc::PT_LOAD && range(header).contains(&module.address))
    {
        return 0;
    }
    module.base = base;
    for header in headers {
        match header.p_type {
            libc::PT_DYNAMIC => module.dynamic = range(header).start,
            libc::PT_GNU_RELRO => module.sealed = range(header),
            _ => {}
        }
    }
    1
}
