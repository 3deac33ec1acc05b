//! `surefoot top`: what the pools of a running process do, from the snapshot file that it keeps.
//!
//! The process is not asked, stopped or slowed: [`target`] reads a file. [`history`] makes rates out of two
//! readings, [`json`] prints them, [`app`] and [`view`] are the screen: what is chosen, and how it looks, as a
//! function of that. [`screen`] alone touches the terminal.

mod app;
mod find;
mod history;
mod json;
mod screen;
mod target;
mod view;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use app::App;
use history::History;
use target::Target;

use crate::args::TopArgs;
use crate::clock;
use crate::interrupt;
use crate::stop::Stop;

/// Columns and rows of `--once` without a terminal to ask.
const PRINTED: (u16, u16) = (100, 40);

/// Runs the sub-command and returns its exit code.
pub(crate) fn run(args: &TopArgs) -> Result<i32, Stop> {
    let _guard = interrupt::Guard::install()
        .map_err(|error| Stop::failure(format!("cannot take over Ctrl-C: {error}")))?;
    let interval = Duration::from_secs_f64(args.interval_s);
    if args.json || args.once {
        let mut target = only_one(args)?;
        return if args.json {
            stream(&mut target, interval, args.once)
        } else {
            print(&mut target, interval)
        };
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Stop::usage(
            "the live view needs a terminal; --json or --once print the figures instead",
        ));
    }
    let app = if let Some(pid) = args.pid {
        App::of_process(find::target(pid)?)
    } else {
        let mut found = find::all();
        match found.len() {
            0 => return Err(find::nothing()),
            1 => App::of_process(found.remove(0)),
            _ => App::of_list(found),
        }
    };
    screen::run(app, interval)
}

/// The process that was named, or the only one there is.
fn only_one(args: &TopArgs) -> Result<Target, Stop> {
    if let Some(pid) = args.pid {
        return find::target(pid);
    }
    let mut found = find::all();
    if found.len() > 1 {
        let lines = found.iter().map(|target| {
            let header = target.header();
            format!("\n  {}  {}", header.owner.pid, header.program)
        });
        let lines: String = lines.collect();
        return Err(Stop::usage(format!("several processes have pools, say which one:{lines}")));
    }
    found.pop().ok_or_else(find::nothing)
}

/// Waits for an interval; what came in between stops the command.
fn pause(interval: Duration) -> Result<(), Stop> {
    let end = clock::now() + interval;
    loop {
        if let Some(signal) = interrupt::received() {
            return Err(Stop::interrupted(signal));
        }
        let left = end.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(());
        }
        interrupt::wait(left);
    }
}

/// Prints a line of JSON for each interval until the process ends.
fn stream(target: &mut Target, interval: Duration, is_once: bool) -> Result<i32, Stop> {
    let mut history = History::default();
    history.add(&target.read());
    loop {
        // To stop it is how this ends, unless nothing has been said yet.
        match pause(interval) {
            Err(stop) if is_once => return Err(stop),
            Err(Stop { code, .. }) => return Ok(code),
            Ok(()) => {}
        }
        let sighting = target.read();
        history.add(&sighting);
        let line = json::line(target.header(), &sighting, &history, interval);
        let is_heard = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush()).is_ok();
        // A reader that has closed its end (`| head`) has seen enough.
        if is_once || !is_heard || sighting.ended.is_some() {
            return Ok(0);
        }
    }
}

/// Prints the view once, as text.
fn print(target: &mut Target, interval: Duration) -> Result<i32, Stop> {
    let mut history = History::default();
    history.add(&target.read());
    pause(interval)?;
    history.add(&target.read());
    let text = view::text(target.header(), &history, screen::theme(io::stdout().is_terminal()), PRINTED);
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    Ok(0)
}
