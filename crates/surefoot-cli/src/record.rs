//! What a run leaves behind: one JSON line, complete in itself, with the unit last in each name.
//!
//! Schema history:
//! 1. first version.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::args::{Pool, Workload};
use crate::machine::Machine;

/// Raised whenever a field changes its meaning or goes away.
pub(crate) const SCHEMA: u32 = 1;

/// The interpreter of a record, as `surefoot.workloads.interpreter` describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Interpreter {
    pub(crate) implementation: String,
    pub(crate) version: String,
    pub(crate) compiler: String,
    pub(crate) is_free_threaded: bool,
    pub(crate) is_gil_enabled: bool,
    pub(crate) switch_interval_s: f64,
}

/// The surefoot that the interpreter has; it need not be the one that this command line came with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) version: String,
    pub(crate) is_debug_build: bool,
}

/// What `surefoot.workloads.run` prints. Times of tasks are wall times taken inside the task.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// Tasks that ended within the window.
    pub(crate) tasks_done: u64,
    pub(crate) window_s: f64,
    pub(crate) tasks_per_s: f64,
    pub(crate) wall_ms_p50: Option<f64>,
    pub(crate) wall_ms_p95: Option<f64>,
    pub(crate) wall_ms_p99: Option<f64>,
    /// The window closed before each thread could do two tasks: the figures are rough.
    pub(crate) is_truncated: bool,
    /// From the start of the first task to the end of the window: CPU time and context switches of all threads
    /// are taken over this time.
    pub(crate) open_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) switches_voluntary: u64,
    pub(crate) switches_involuntary: u64,
    /// The pool's limit when it was last looked at.
    pub(crate) limit: u32,
    pub(crate) workers_live: u32,
    pub(crate) rss_bytes_max: u64,
    pub(crate) switch_interval_s: f64,
    pub(crate) params: serde_json::Map<String, serde_json::Value>,
}

/// One line of a record file.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// A run that was measured.
    CliffRun {
        #[serde(flatten)]
        context: Context<'a>,
        #[serde(flatten)]
        measurement: &'a Measurement,
    },
    /// A run that failed, and why.
    CliffFailure {
        #[serde(flatten)]
        context: Context<'a>,
        reason: &'a str,
    },
}

/// Which run a line is about, and where it ran.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Context<'a> {
    pub(crate) schema: u32,
    pub(crate) surefoot_version: &'a str,
    /// The extension was built without optimisation: figures of our pools mean nothing.
    pub(crate) is_debug_build: bool,
    /// Names the sweep that the run belongs to: when it began, in milliseconds since 1970 UTC.
    pub(crate) sweep: u64,
    pub(crate) at_unix_s: f64,
    pub(crate) workload: Workload,
    pub(crate) pool: Pool,
    pub(crate) cores: u32,
    pub(crate) threads: u32,
    pub(crate) repeat: u32,
    pub(crate) machine: &'a Machine,
    pub(crate) interpreter: &'a Interpreter,
}

/// A record file; each line is on its way to the disk before the next run begins.
#[derive(Debug)]
pub(crate) struct RecordFile {
    file: File,
}

impl RecordFile {
    /// Appends to a file that is open for that.
    pub(crate) fn of(file: File) -> Self {
        Self { file }
    }

    /// Opens `path` to append to it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(|file| Self { file })
    }

    /// Appends one line in one write, so that an interruption cannot leave half of it.
    pub(crate) fn append(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.file.write_all(&text)?;
        self.file.sync_data()
    }
}
