//! The one thread of ours that attaches to the interpreter, for what the monitor cannot do.
//!
//! The monitor never needs the interpreter, but three errands do: making a `threading.Thread` for a
//! pool all of whose workers are blocked, asking a controller that is written in Python, and logging. The
//! attendant is started with the first errand; a process without such errands has no such thread.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};

use pyo3::prelude::*;
use surefoot_core::decision::Entry;
use surefoot_core::starvation::Hunger;
use surefoot_core::sync::lock_std;
use surefoot_core::window::Window;

use crate::attach;
use crate::journal;
use crate::name::name;
use crate::placement;
use crate::shared::Shared;

/// Something to do while attached.
#[derive(Debug)]
pub(crate) enum Errand {
    /// Make the threads that the pool calls for.
    MakeThreads(Weak<Shared>),
    /// Ask the pool's Python controller what it makes of this window.
    Decide(Weak<Shared>, Box<Window>),
    /// Log what was decided.
    TellDecisions(Arc<Shared>, Vec<Entry>),
    /// Log that the pool starves.
    TellHunger(Arc<Shared>, Hunger),
    /// Say this on the logger `surefoot`, at DEBUG.
    Say(String),
}

/// The way to the thread.
#[derive(Debug, Default)]
pub(crate) struct Attendant {
    errands: Mutex<Option<Sender<Errand>>>,
}

impl Attendant {
    /// Sends the thread on an errand. If the system gives no thread, the errand is dropped and the
    /// answer is no: the monitor will come with it again.
    pub(crate) fn send(&self, errand: Errand) -> bool {
        let mut errands = lock_std(&self.errands);
        if errands.is_none() {
            let (send, receive) = channel();
            let thread = placement::as_ourselves(|| {
                std::thread::Builder::new()
                    .name("surefoot-attendant".to_owned())
                    .spawn(move || receive.into_iter().for_each(run))
            });
            if thread.is_err() {
                return false;
            }
            *errands = Some(send);
        }
        // The receiver lives as long as the process.
        errands.as_ref().is_some_and(|errands| errands.send(errand).is_ok())
    }
}

fn run(errand: Errand) {
    // `None`: the interpreter goes down and needs neither threads nor decisions.
    let _ = attach::try_attached(|py| match errand {
        Errand::MakeThreads(pool) => {
            if let Some(pool) = pool.upgrade() {
                pool.make_threads(py);
            }
        }
        Errand::Decide(pool, window) => {
            if let Some(pool) = pool.upgrade() {
                pool.ask_controller(py, &window);
            }
        }
        Errand::TellDecisions(pool, news) => journal::tell_decisions(py, &pool, &news),
        Errand::TellHunger(pool, hunger) => journal::tell_hunger(py, &pool, &hunger),
        Errand::Say(text) => say(py, &text),
    });
}

fn say(py: Python<'_>, text: &str) {
    let said = py
        .import("logging")
        .and_then(|logging| logging.call_method1("getLogger", ("surefoot",)))
        .and_then(|logger| attach::call_method(&logger, name!(py, "debug"), ("%s", text)));
    if let Err(error) = said {
        error.write_unraisable(py, None);
    }
}
