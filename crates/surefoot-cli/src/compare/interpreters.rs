//! The interpreters that a suite names by tags such as `3.14t`, found on this machine.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use crate::child::Python;
use crate::compare::suite::{DEFAULT_INTERPRETER, Suite};
use crate::description::{self, Description};
use crate::interrupt;
use crate::record;
use crate::stop::Stop;

/// An interpreter that can make runs.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) program: PathBuf,
    pub(crate) description: Description<String>,
}

impl Found {
    /// It, with variables of its own.
    pub(crate) fn python<'a>(&'a self, environment: &'a [(&'a str, String)]) -> Python<'a> {
        Python { program: &self.program, signal: &interrupt::received, environment }
    }
}

/// Those that a suite asks for, by tag; of one that is missing, the reason.
#[derive(Debug)]
pub(crate) struct Interpreters {
    default_tag: String,
    by_tag: BTreeMap<String, Result<Found, String>>,
}

impl Interpreters {
    /// Looks for all that the suite asks for.
    ///
    /// # Errors
    ///
    /// If the default interpreter, or one that was given by its path, cannot make runs. One that nobody gave is
    /// only missing.
    pub(crate) fn find(suite: &Suite, given: &[(String, PathBuf)], own: &Path) -> Result<Self, Stop> {
        let given: BTreeMap<&str, &Path> =
            given.iter().map(|(tag, path)| (tag.as_str(), path.as_path())).collect();
        let default = given.get(DEFAULT_INTERPRETER).copied().unwrap_or(own);
        let default = found(default)?;
        let default_tag = tag_of(&default.description.interpreter);
        let mut by_tag = BTreeMap::new();
        for (tag, path) in given.iter().filter(|(tag, _)| **tag != DEFAULT_INTERPRETER) {
            let here = found(path)?;
            let is = tag_of(&here.description.interpreter);
            if is_version(tag) && is != *tag {
                return Err(Stop::usage(format!("--python {tag}={}: that is CPython {is}", path.display())));
            }
            by_tag.insert((*tag).to_owned(), Ok(here));
        }
        by_tag.entry(default_tag.clone()).or_insert(Ok(default));
        let asked = suite.experiments.iter().flat_map(|experiment| &experiment.strategies);
        for tag in asked.flat_map(|strategy| &strategy.interpreters) {
            if tag != DEFAULT_INTERPRETER && !by_tag.contains_key(tag) {
                by_tag.insert(tag.clone(), on_path(tag));
            }
        }
        Ok(Self { default_tag, by_tag })
    }

    /// The tag of an interpreter as a suite names it.
    pub(crate) fn tag<'a>(&'a self, asked: &'a str) -> &'a str {
        if asked == DEFAULT_INTERPRETER { &self.default_tag } else { asked }
    }

    /// The interpreter of that tag.
    ///
    /// # Errors
    ///
    /// Why there is none, in words.
    pub(crate) fn get(&self, tag: &str) -> Result<&Found, &str> {
        match self.by_tag.get(tag) {
            Some(Ok(found)) => Ok(found),
            Some(Err(reason)) => Err(reason),
            None => Err("nobody asked for it"),
        }
    }

    /// Those that are there, and why others are not.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Result<&Found, &str>)> {
        self.by_tag.keys().map(|tag| (tag.as_str(), self.get(tag)))
    }

    /// What the default one says of the workloads.
    pub(crate) fn default_description(&self) -> Option<&Description<String>> {
        self.get(&self.default_tag).ok().map(|found| &found.description)
    }
}

/// `3.14t` for version 3.14.0 without a GIL.
fn tag_of(interpreter: &record::Interpreter) -> String {
    let version: Vec<&str> = interpreter.version.split('.').take(2).collect();
    version.join(".") + if interpreter.is_free_threaded { "t" } else { "" }
}

/// Whether a tag names a version, as opposed to a build that somebody has a name for.
fn is_version(tag: &str) -> bool {
    let parts: Vec<&str> = tag.strip_suffix('t').unwrap_or(tag).split('.').collect();
    parts.len() == 2 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

fn found(program: &Path) -> Result<Found, Stop> {
    let python = Python { program, signal: &interrupt::received, environment: &[] };
    let description = description::describe(python)?;
    if description.surefoot.is_debug_build {
        eprintln!(
            "surefoot: {} has a surefoot that was built without optimisation: its figures mean nothing",
            program.display()
        );
    }
    Ok(Found { program: program.to_path_buf(), description })
}

/// Looks for `pythonTAG` where programs are.
fn on_path(tag: &str) -> Result<Found, String> {
    let name = format!("python{tag}");
    let missing = || format!("no {name} on PATH; --python {tag}=PATH names one");
    let folders = env::var_os("PATH").unwrap_or_default();
    let program =
        env::split_paths(&folders).map(|folder| folder.join(&name)).find(|program| program.is_file());
    let program = program.ok_or_else(missing)?;
    found(&program).map_err(|stop| stop.message.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_version_and_whether_it_is_free_threaded() {
        let mut interpreter = record::Interpreter {
            implementation: "CPython".to_owned(),
            version: "3.14.0rc1".to_owned(),
            compiler: String::new(),
            is_free_threaded: true,
            is_gil_enabled: false,
            switch_interval_s: 0.005,
        };
        assert_eq!(tag_of(&interpreter), "3.14t");
        interpreter.is_free_threaded = false;
        assert_eq!(tag_of(&interpreter), "3.14");
    }

    #[test]
    fn a_tag_may_name_more_than_a_version() {
        assert!(is_version("3.14t") && is_version("3.9"));
        assert!(!is_version("3.14-jit") && !is_version("mine") && !is_version("3"));
    }

    #[test]
    fn an_interpreter_that_is_not_there_has_a_reason() {
        assert!(on_path("0.1").unwrap_err().contains("--python 0.1=PATH"));
    }
}
