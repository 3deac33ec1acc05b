//! The `surefoot` command line.
//!
//! A library, because it is linked into the Python extension and called from a Python process: [`run`] takes
//! the arguments and returns an exit code, and never ends the process. It names no Python API; Python code
//! runs in child processes only.
//!
//! One module per sub-command ([`cliff`], [`compare`], [`doctor`], [`simulate`], [`top`]), and below them what they share: [`child`] runs one Python process,
//! [`record`] is what a run leaves behind, [`statistics`], [`bootstrap`] and [`curve`] reduce records, [`table`] shows them.

mod args;
pub mod bootstrap;
mod child;
mod cliff;
mod clock;
mod compare;
mod curve;
mod description;
mod doctor;
mod interrupt;
mod machine;
mod plan;
mod progress;
mod record;
mod simulate;
mod statistics;
mod stop;
mod table;
mod top;

use std::path::Path;

use clap::Parser;

/// Runs the command line and returns its exit code.
///
/// `argv[0]` is the name of the program. `python` is the interpreter that measurements use unless the
/// arguments name another one.
///
/// Exit codes: 0 success, 1 something failed, 2 bad arguments or something to install first, 130 interrupted; `top`
/// has some of its own, 3 to 6.
pub fn run(argv: &[String], python: &Path) -> i32 {
    let cli = match args::Cli::try_parse_from(argv) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version arrive here too, with exit code 0. A closed output is no reason to fail.
            let _ = error.print();
            return error.exit_code();
        }
    };
    let outcome = match cli.command {
        args::Command::Cliff(options) => cliff::run(&options, python),
        args::Command::Compare(options) => compare::run(&options, python),
        args::Command::Simulate(options) => simulate::run(&options),
        args::Command::Doctor(options) => doctor::run(&options, python),
        args::Command::Top(options) => top::run(&options),
        args::Command::Run(_) | args::Command::Profile(_) | args::Command::Report(_) => {
            Err(stop::Stop::usage(
                "this command runs inside the interpreter: use `python -m surefoot run`, `profile` or `report`",
            ))
        }
    };
    outcome.unwrap_or_else(|stop| {
        eprintln!("surefoot: {}", stop.message);
        stop.code
    })
}
