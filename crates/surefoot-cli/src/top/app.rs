//! What is on the screen, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::find;
use super::history::History;
use super::target::Target;

/// A process in the list.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) target: Target,
    pub(crate) history: History,
}

/// What is being looked at.
#[derive(Debug)]
pub(crate) enum Page {
    /// The processes that show their pools.
    List,
    /// The pools of this one.
    Process(Box<Row>),
}

/// What a key asks for beyond a new picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    Nothing,
    /// To stop, by Ctrl-C or not.
    Quit {
        by_interrupt: bool,
    },
}

/// The state of the screen.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) page: Page,
    /// In the list of processes, whether or not it is shown.
    pub(crate) rows: Vec<Row>,
    /// Place in the list.
    pub(crate) row: usize,
    /// Number of the pool that is shown in detail; the first if there is no such pool.
    pub(crate) pool: Option<u64>,
    pub(crate) is_paused: bool,
    pub(crate) shows_help: bool,
    /// Whether there is a list to go back to.
    has_list: bool,
}

impl Row {
    fn new(mut target: Target) -> Self {
        let mut history = History::default();
        history.add(&target.read());
        Self { target, history }
    }

    fn refresh(&mut self) {
        if self.history.ended.is_none() {
            self.history.add(&self.target.read());
        }
    }
}

impl App {
    /// Begins with one process.
    pub(crate) fn of_process(target: Target) -> Self {
        Self { page: Page::Process(Box::new(Row::new(target))), has_list: false, ..Self::of_list(Vec::new()) }
    }

    /// Begins with a choice.
    pub(crate) fn of_list(targets: Vec<Target>) -> Self {
        Self {
            page: Page::List,
            rows: targets.into_iter().map(Row::new).collect(),
            row: 0,
            pool: None,
            is_paused: false,
            shows_help: false,
            has_list: true,
        }
    }

    /// Reads what is shown.
    pub(crate) fn refresh(&mut self) {
        if self.is_paused {
            return;
        }
        match &mut self.page {
            Page::Process(row) => row.refresh(),
            Page::List => self.refresh_list(),
        }
    }

    /// Reads the processes that are known, finds new ones, and forgets those that have ended.
    fn refresh_list(&mut self) {
        self.rows.iter_mut().for_each(Row::refresh);
        let chosen = self.rows.get(self.row).map(|row| row.target.path.clone());
        self.rows.retain(|row| row.history.ended.is_none());
        for target in find::all() {
            if !self.rows.iter().any(|row| row.target.path == target.path) {
                self.rows.push(Row::new(target));
            }
        }
        self.rows.sort_by_key(|row| row.target.header().owner.pid);
        let place = self.rows.iter().position(|row| Some(&row.target.path) == chosen.as_ref());
        self.row = place.unwrap_or(self.row.min(self.rows.len().saturating_sub(1)));
    }

    /// The place of the pool that is shown in detail among all.
    pub(crate) fn pool_place(&self, history: &History) -> usize {
        history.pools.keys().position(|pool| Some(*pool) == self.pool).unwrap_or(0)
    }

    /// Does what a key says.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Asked {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Asked::Quit { by_interrupt: true },
            KeyCode::Char('q' | 'Q') => return Asked::Quit { by_interrupt: false },
            KeyCode::Char('?' | 'h') => self.shows_help = !self.shows_help,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Enter | KeyCode::Right => self.enter(),
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => self.leave(),
            _ => {}
        }
        Asked::Nothing
    }

    fn step(&mut self, by: isize) {
        match &self.page {
            Page::List => self.row = stepped(self.row, by, self.rows.len()),
            Page::Process(row) => {
                let place = stepped(self.pool_place(&row.history), by, row.history.pools.len());
                self.pool = row.history.pools.keys().nth(place).copied();
            }
        }
    }

    fn enter(&mut self) {
        if let Page::List = self.page
            && self.row < self.rows.len()
        {
            self.page = Page::Process(Box::new(self.rows.remove(self.row)));
            self.pool = None;
        }
    }

    fn leave(&mut self) {
        if self.shows_help {
            self.shows_help = false;
        } else if self.has_list {
            self.page = Page::List;
            self.is_paused = false;
            self.refresh_list();
        }
    }
}

fn stepped(place: usize, by: isize, count: usize) -> usize {
    place.saturating_add_signed(by).min(count.saturating_sub(1))
}
