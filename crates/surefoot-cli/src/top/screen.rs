//! The terminal: taken over, read, drawn to, and given back whatever happens.

use std::io::{self, Stdout};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::cursor;
use crossterm::event::{self, Event, KeyEventKind};
use crossterm::execute;
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::app::{App, Asked};
use super::view::{self, Theme};
use crate::clock;
use crate::interrupt;
use crate::stop::{SIGNAL_BASE, Stop};

/// How soon a signal is noticed. Not critical: it is felt at the keyboard only.
const POLL: Duration = Duration::from_millis(50);

type PanicHook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send>;

/// The terminal in our hands; dropping it gives it back.
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// Of whoever called us; never empty but while it is put back.
    former_hook: Option<Arc<PanicHook>>,
}

impl Screen {
    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        // From here on whatever fails must give the terminal back.
        IS_TAKEN.store(true, Ordering::Relaxed);
        let taken = execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match taken {
            Ok(terminal) => {
                let former: Arc<PanicHook> = Arc::new(panic::take_hook());
                let next = Arc::clone(&former);
                // What a panic says belongs on the ordinary screen.
                panic::set_hook(Box::new(move |info| {
                    give_back();
                    next(info);
                }));
                Ok(Self { terminal, former_hook: Some(former) })
            }
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        // A thread that is panicking may not touch the hooks; the process is on its way out.
        if !std::thread::panicking() {
            drop(panic::take_hook());
            if let Some(hook) = self.former_hook.take() {
                panic::set_hook(Box::new(move |info| hook(info)));
            }
        }
    }
}

/// Whether the terminal is in our hands.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Does it once, whoever comes first: a panic's message is not to be wiped out. Nothing can be done about a
/// failure: then the terminal is gone.
fn give_back() {
    // Relaxed: one thread takes and gives.
    if !IS_TAKEN.swap(false, Ordering::Relaxed) {
        return;
    }
    // Cleared first: where the size has changed meanwhile, tmux leaves parts of it on the ordinary screen.
    let _ = execute!(io::stdout(), Clear(ClearType::All), LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
}

/// What the terminal can show, by the usual variables.
pub(crate) fn theme(is_terminal: bool) -> Theme {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_plain = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then_some(value)
    });
    let is_unicode = locale.is_some_and(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    Theme { has_colour: is_terminal && !is_plain && !set("NO_COLOR"), is_unicode }
}

/// Shows the app until somebody has seen enough; returns the exit code.
pub(crate) fn run(mut app: App, interval: Duration) -> Result<i32, Stop> {
    let failed = |error: io::Error| Stop::failure(format!("the terminal does not answer: {error}"));
    let theme = theme(true);
    let mut screen = Screen::take().map_err(failed)?;
    let mut due = clock::now() + interval;
    loop {
        screen.terminal.draw(|frame| view::draw(frame, &app, theme, interval)).map_err(failed)?;
        // Until there is something new to draw.
        loop {
            if let Some(signal) = interrupt::received() {
                return Ok(SIGNAL_BASE + signal);
            }
            let left = due.saturating_duration_since(clock::now());
            if left.is_zero() {
                app.refresh();
                due = clock::now() + interval;
                break;
            }
            if !event::poll(left.min(POLL)).map_err(failed)? {
                continue;
            }
            match event::read().map_err(failed)? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match app.key(key) {
                    Asked::Quit { by_interrupt: true } => return Ok(SIGNAL_BASE + libc::SIGINT),
                    Asked::Quit { by_interrupt: false } => return Ok(0),
                    Asked::Nothing => break,
                },
                Event::Resize(..) => break,
                _ => {}
            }
        }
    }
}
