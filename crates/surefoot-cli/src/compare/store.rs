//! The record file of a suite: read back, healed, and appended to by one process at a time.
//!
//! A record is on the disk before the next run begins. What a kill leaves is whole lines and at most one torn one
//! at the end, which was never counted as done and is cut off. Whatever changes lines that are there (marks of
//! noise, records to forget) writes the whole file beside it and renames that: one or the other is there at any time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::compare::record::Line;
use crate::record::RecordFile;
use crate::stop::Stop;

/// An open record file and what it holds.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    file: RecordFile,
    lines: Vec<Line>,
}

impl Store {
    /// Opens the file, made if it is missing, and takes it for this process alone.
    ///
    /// # Errors
    ///
    /// Usage: it cannot be written, another process writes it, or it holds something that is no record.
    pub(crate) fn open(path: &Path) -> Result<Self, Stop> {
        let shown = path.display();
        let cannot = |error: io::Error| Stop::usage(format!("cannot write {shown}: {error}"));
        let file = loop {
            let file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(cannot)?;
            if !lock(&file).map_err(cannot)? {
                return Err(Stop::usage(format!("another process is writing {shown}")));
            }
            // The process before us may have put a new file in its place between our two steps.
            if is_at(&file, path) {
                break file;
            }
        };
        let text = fs::read(path).map_err(cannot)?;
        let (lines, rest) = parse(&text).map_err(|reason| Stop::usage(format!("{shown}: {reason}")))?;
        match rest {
            Rest::Nothing => {}
            Rest::LineEnd => (&file).write_all(b"\n").map_err(cannot)?,
            Rest::Torn(whole) => {
                file.set_len(whole as u64).map_err(cannot)?;
                eprintln!(
                    "surefoot: {shown}: the last line was torn by an interruption; its run is made again"
                );
            }
        }
        file.sync_all().map_err(cannot)?;
        sync_folder(path);
        Ok(Self { path: path.to_path_buf(), file: RecordFile::of(file), lines })
    }

    /// What the file holds, in the order it was measured.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Appends a line; it is on the disk on return.
    pub(crate) fn append(&mut self, line: Line) -> Result<(), Stop> {
        self.file.append(&line).map_err(|error| self.cannot(&error))?;
        self.lines.push(line);
        Ok(())
    }

    /// Puts these lines in place of what the file holds, all at once.
    pub(crate) fn replace(&mut self, lines: Vec<Line>) -> Result<(), Stop> {
        self.write_anew(&lines).map_err(|error| self.cannot(&error))?;
        self.lines = lines;
        Ok(())
    }

    /// Keeps the lines that `keep` wants; returns how many are gone.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Line) -> bool) -> Result<usize, Stop> {
        let kept: Vec<Line> = self.lines.iter().filter(|line| keep(line)).cloned().collect();
        let gone = self.lines.len() - kept.len();
        if gone > 0 {
            self.replace(kept)?;
        }
        Ok(gone)
    }

    fn write_anew(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".new");
        let beside = self.path.with_file_name(name);
        // One that a kill left behind is of no use to anybody.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().create_new(true).append(true).open(&beside)?;
        // Ours before it has the name that others look for.
        lock(&file)?;
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)?;
            text.push(b'\n');
        }
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        sync_folder(&self.path);
        self.file = RecordFile::of(file);
        Ok(())
    }

    fn cannot(&self, error: &io::Error) -> Stop {
        Stop::failure(format!("cannot write {}: {error}", self.path.display()))
    }
}

/// Reads the lines of record files for tables; a torn last line is left out.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, Stop> {
    let shown = path.display();
    let text = fs::read(path).map_err(|error| Stop::usage(format!("cannot read {shown}: {error}")))?;
    parse(&text).map(|(lines, _)| lines).map_err(|reason| Stop::usage(format!("{shown}: {reason}")))
}

/// What follows the last line end.
#[derive(Debug, PartialEq)]
enum Rest {
    Nothing,
    /// A whole record whose line end is missing.
    LineEnd,
    /// Half a record; whole lines end after this many bytes.
    Torn(usize),
}

fn parse(text: &[u8]) -> Result<(Vec<Line>, Rest), String> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (whole_text, tail) = text.split_at(whole);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(whole_text.split(|byte| *byte == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line = serde_json::from_slice(line).map_err(|error| format!("line {number}: {error}"))?;
        lines.push(line);
    }
    if tail.is_empty() {
        return Ok((lines, Rest::Nothing));
    }
    match serde_json::from_slice(tail) {
        Ok(line) => {
            lines.push(line);
            Ok((lines, Rest::LineEnd))
        }
        Err(_) => Ok((lines, Rest::Torn(whole))),
    }
}

/// Takes the file for this process, until it is closed; whether that was possible.
fn lock(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open as long as `file` is borrowed.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(false) } else { Err(error) }
}

/// Whether the open file is the one that has the name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// A new name is on the disk when its folder is. Not all file systems can do that.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::record::tests::{control, measured};
    use crate::compare::run::tests::identity;

    /// A file of its own for each test, removed at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let file = format!("surefoot-store-{name}-{}.jsonl", std::process::id());
            let path = std::env::temp_dir().join(file);
            let _ = fs::remove_file(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    fn run(repeat: u32) -> Line {
        let mut identity = identity();
        identity.repeat = repeat;
        Line::Run(Box::new(measured(identity, 100.0)))
    }

    fn repeats(store: &Store) -> Vec<u32> {
        store.lines().iter().filter_map(|line| Some(line.context()?.identity.repeat)).collect()
    }

    #[test]
    fn a_file_torn_at_any_byte_keeps_its_whole_lines_and_goes_on() {
        let scratch = Scratch::new("torn");
        let mut store = Store::open(&scratch.0).unwrap();
        for repeat in 0..3 {
            store.append(run(repeat)).unwrap();
        }
        drop(store);
        let whole = fs::read(&scratch.0).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        for cut in 0..=whole.len() {
            // A record is whole with its last brace; the line end can be put back.
            let kept = ends.iter().filter(|end| **end <= cut).count();
            fs::write(&scratch.0, &whole[..cut]).unwrap();
            let mut store = Store::open(&scratch.0).unwrap();
            assert_eq!(repeats(&store).len(), kept, "cut at {cut}");
            if cut % 97 == 0 || ends.contains(&cut) {
                store.append(run(9)).unwrap();
                drop(store);
                let again = Store::open(&scratch.0).unwrap();
                assert_eq!(repeats(&again).last(), Some(&9));
                assert_eq!(repeats(&again).len(), kept + 1);
            }
        }
    }

    #[test]
    fn a_line_in_the_middle_that_is_no_record_is_named() {
        let scratch = Scratch::new("middle");
        fs::write(&scratch.0, "\n{\"type\": \"something\"}\n\n").unwrap();
        let stop = Store::open(&scratch.0).unwrap_err();
        assert!(stop.message.contains("line 2"), "{}", stop.message);
    }

    #[test]
    fn there_is_one_writer_at_a_time_also_after_the_file_was_replaced() {
        let scratch = Scratch::new("lock");
        let mut store = Store::open(&scratch.0).unwrap();
        store.append(run(0)).unwrap();
        assert!(Store::open(&scratch.0).unwrap_err().message.contains("another process"));
        store.replace(vec![run(1), control(1.0, 1.0)]).unwrap();
        assert!(Store::open(&scratch.0).unwrap_err().message.contains("another process"));
        store.append(run(2)).unwrap();
        drop(store);
        assert_eq!(repeats(&Store::open(&scratch.0).unwrap()), [1, 2]);
    }

    #[test]
    fn lines_that_nobody_wants_are_gone_for_good() {
        let scratch = Scratch::new("retain");
        let mut store = Store::open(&scratch.0).unwrap();
        for repeat in 0..4 {
            store.append(run(repeat)).unwrap();
        }
        let is_odd = |line: &Line| line.context().is_some_and(|context| context.identity.repeat % 2 == 1);
        assert_eq!(store.retain(is_odd).unwrap(), 2);
        assert_eq!(store.retain(is_odd).unwrap(), 0);
        drop(store);
        assert_eq!(repeats(&Store::open(&scratch.0).unwrap()), [1, 3]);
        assert!(read(&scratch.0).is_ok_and(|lines| lines.len() == 2));
    }
}
