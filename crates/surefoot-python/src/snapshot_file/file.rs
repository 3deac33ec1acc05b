//! The file: made, written, removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use surefoot_core::clock;
use surefoot_core::snapshot_file::owner::Owner;
use surefoot_core::snapshot_file::place;
use surefoot_core::snapshot_file::{BLOCK, Block, Header, PoolRecord, RECORDS, record_offset};
use surefoot_core::sync::lock_std;

use super::{DESCRIPTOR, SETTINGS, Settings};
use crate::attendant::Errand;
use crate::process;
use crate::sensors::clocks;

/// The one writer of the process.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    /// No pool has been busy for long enough.
    #[default]
    Waiting,
    Open(Box<Open>),
    /// There is none, and will be none.
    Off,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    header: Header,
    places: [Place; RECORDS],
    is_ending: bool,
    /// The one block that all writing goes through.
    block: Box<Block>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    is_taken: bool,
    is_busy: bool,
    /// Of the last writing.
    sequence: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Written {
    /// It is here.
    At(usize),
    /// All places are taken.
    Full,
    /// There is no file.
    Never,
}

impl Publisher {
    /// Writes a record to its place, or to a free one if it has none yet.
    pub(super) fn write(&self, record: &mut PoolRecord, place: Option<usize>) -> Written {
        let mut state = lock_std(&self.state);
        if let State::Waiting = *state {
            let settings = SETTINGS.load_full();
            *state = settings.map_or(State::Off, |settings| match open(&settings) {
                Ok(open) => State::Open(Box::new(open)),
                Err(why) => give_up(&why),
            });
        }
        let State::Open(open) = &mut *state else { return Written::Never };
        let Some(place) = place.or_else(|| open.places.iter().position(|place| !place.is_taken)) else {
            return Written::Full;
        };
        match open.write(record, place) {
            Ok(()) if open.is_done() => {
                *state = open.remove();
                Written::Never
            }
            Ok(()) => Written::At(place),
            Err(error) => {
                let why = format!("{}: {error}", open.path.display());
                open.remove();
                *state = give_up(&why);
                Written::Never
            }
        }
    }

    /// Counts one pool more, or one less, that has no place.
    pub(super) fn count_unshown(&self, more: bool) {
        if let State::Open(open) = &mut *lock_std(&self.state) {
            let count = &mut open.header.pools_unshown;
            *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
            // If it fails, the next record fails too, and is dealt with.
            let _ = open.write_header();
        }
    }

    /// Frees a place: its pool is gone.
    pub(super) fn free(&self, place: usize) {
        let mut state = lock_std(&self.state);
        let State::Open(open) = &mut *state else { return };
        let sequence = open.places[place].sequence;
        open.places[place] = Place { sequence, ..Place::default() };
        let _ = open.file.write_all_at(&[0; 8], record_offset(place));
        if open.is_done() {
            *state = open.remove();
        }
    }

    pub(super) fn end(&self, at_once: bool) {
        let mut state = lock_std(&self.state);
        match &mut *state {
            State::Open(open) => {
                open.is_ending = true;
                if at_once || open.is_done() {
                    *state = open.remove();
                }
            }
            State::Waiting if at_once => *state = State::Off,
            State::Waiting | State::Off => {}
        }
    }
}

impl Open {
    fn write(&mut self, record: &mut PoolRecord, place: usize) -> io::Result<()> {
        let now = &mut self.places[place];
        *now = Place { is_taken: true, is_busy: record.is_busy, sequence: now.sequence + 1 };
        record.sequence = now.sequence;
        record.encode(&mut self.block);
        self.file.write_all_at(&*self.block, record_offset(place))
    }

    fn write_header(&mut self) -> io::Result<()> {
        self.header.encode(&mut self.block);
        self.file.write_all_at(&*self.block, 0)
    }

    /// Whether nobody will write any more.
    fn is_done(&self) -> bool {
        self.is_ending && !self.places.iter().any(|place| place.is_busy)
    }

    fn remove(&mut self) -> State {
        DESCRIPTOR.store(-1, Ordering::Relaxed);
        let _ = fs::remove_file(&self.path);
        State::Off
    }
}

/// Leaves it at that, and says so once.
fn give_up(why: &str) -> State {
    let text = format!("no snapshot file, so that `surefoot top` will not see this process: {why}");
    // It is of no use to anybody if it cannot be said.
    let _ = process::attendant().send(Errand::Say(text));
    State::Off
}

fn open(settings: &Settings) -> Result<Open, String> {
    let Some(surroundings) = &settings.surroundings else { return Err("switched off".to_owned()) };
    let owner = Owner::this_process().ok_or("the kernel does not tell when the process began")?;
    let header = Header {
        owner,
        pools_unshown: 0,
        clock_zero_ns: clocks::monotonic_ns().unwrap_or(0).saturating_sub(clock::now_ns()),
        created_unix_ns: unix_ns(),
        python: settings.python.clone(),
        surefoot: env!("CARGO_PKG_VERSION").to_owned(),
        program: program(),
    };
    let mut whys = Vec::new();
    for folder in surroundings.folders() {
        let user = surroundings.user;
        match place::prepare(&folder, user).and_then(|()| open_in(&folder, user, header.clone())) {
            Ok(open) => {
                DESCRIPTOR.store(open.file.as_raw_fd(), Ordering::Relaxed);
                return Ok(open);
            }
            Err(why) => whys.push(why),
        }
    }
    Err(whys.join("; "))
}

fn open_in(folder: &Path, user: u32, header: Header) -> Result<Open, String> {
    place::sweep(folder, user);
    let path = folder.join(place::file_name(header.owner.pid, header.owner.start_ticks));
    let file = make(&path).or_else(|error| {
        // Number and beginning are this process's: it is from before it executed another program.
        let is_own = fs::symlink_metadata(&path).is_ok_and(|facts| facts.uid() == user);
        if error.kind() == io::ErrorKind::AlreadyExists && is_own {
            fs::remove_file(&path).and_then(|()| make(&path))
        } else {
            Err(error)
        }
    });
    let say = |error: io::Error| format!("{}: {error}", path.display());
    let file = file.map_err(say)?;
    let places = [Place::default(); RECORDS];
    let block = Box::new([0; BLOCK]);
    let mut open = Open { file, path: path.clone(), header, places, is_ending: false, block };
    // Full length, so that no reader finds it short; what was never written takes no room.
    let is_made = open.file.set_len(record_offset(RECORDS)).and_then(|()| open.write_header());
    is_made.map_err(|error| {
        open.remove();
        say(error)
    })?;
    Ok(open)
}

fn make(path: &Path) -> io::Result<File> {
    // The standard library adds O_CLOEXEC; `create_new` is O_EXCL, which follows no link.
    OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The command line, without the folder of the interpreter.
fn program() -> String {
    let words = fs::read("/proc/self/cmdline").unwrap_or_default();
    let text = String::from_utf8_lossy(&words);
    let mut words = text.split_terminator('\0');
    let first = words.next().unwrap_or_default();
    let first = first.rsplit('/').next().unwrap_or(first);
    std::iter::once(first).chain(words).collect::<Vec<_>>().join(" ")
}
