//! The command line without the extension module: `cargo run -p surefoot-cli --example surefoot -- cliff --help`.
//!
//! The interpreter is `$PYTHON`, else `python3`; it must find the `surefoot` package.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let argv: Vec<String> = env::args().collect();
    let python = env::var_os("PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    ExitCode::from(u8::try_from(surefoot_cli::run(&argv, &python)).unwrap_or(u8::MAX))
}
