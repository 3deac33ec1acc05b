use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use surefoot_core::decision::Veto;
use surefoot_core::share::ShareSums;
use surefoot_core::snapshot_file::owner::Owner;
use surefoot_core::snapshot_file::{BLOCK, DecisionRecord, PoolRecord, RECORDS, place, record_offset};

use super::*;
use crate::top::app::Asked;
use crate::top::target::Target;

const PLAIN: Theme = Theme { has_colour: false, is_unicode: false };
const FULL: Theme = Theme { has_colour: true, is_unicode: true };
const HALF_SECOND: Duration = Duration::from_millis(500);
const SECOND: u64 = 1_000_000_000;

/// A snapshot file as a process would write it; gone at the end.
struct File {
    path: PathBuf,
    header: Header,
}

impl File {
    fn new(name: &str, owner: Owner) -> Self {
        let folder = std::env::temp_dir().join(format!("surefoot-view-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(place::file_name(owner.pid, owner.start_ticks));
        let (program, python) = ("python server.py --port 80".to_owned(), "3.13.1".to_owned());
        // The clock of the records shows ten seconds.
        let clock_zero_ns = crate::clock::monotonic_ns() - 10 * SECOND;
        let header = Header { owner, program, python, clock_zero_ns, ..Header::default() };
        let mut block = [0; BLOCK];
        header.encode(&mut block);
        fs::write(&path, block).unwrap();
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(record_offset(RECORDS)).unwrap();
        Self { path, header }
    }

    fn write(&self, place: usize, record: &PoolRecord) {
        use std::os::unix::fs::FileExt;
        let mut block = [0; BLOCK];
        record.encode(&mut block);
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(&block, record_offset(place)).unwrap();
    }

    fn target(&self) -> Target {
        Target::open(&self.path, fs::metadata(&self.path).unwrap().uid()).unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.path.parent().unwrap());
    }
}

fn record(pool: u64, name: &str, done: u64) -> PoolRecord {
    let mut record = PoolRecord {
        sequence: 1,
        pool,
        at_ns: 10 * SECOND + done,
        is_busy: true,
        limit: 6,
        cap: 512,
        workers_live: 8,
        workers_busy: 7,
        queue_length: 1_234,
        queue_head_age_ns: 5_000_000,
        throughput_per_s: 98_000.0,
        cores: Some(2.0),
        cores_used: Some(1.3),
        gil_sensor: GilSensor::Waiters,
        gil_busy_share: Some(0.93),
        shares: ShareSums::of_array(
            [done as f64 * 1e6, done as f64 * 6e5, 0.0, done as f64 * 3e5, 0.0, 0.0, 0.0, 0.0, 0.0],
            true,
        ),
        name: name.to_owned(),
        controller: "knee".to_owned(),
        interval_ns: 50_000_000,
        decisions: vec![
            decision(1, 6, 12, None, "tasks wait and nobody is runnable"),
            decision(8, 6, 6, Some(Veto::Gil), "tasks wait, but they fight for the interpreter"),
        ],
        ..PoolRecord::default()
    };
    (record.tasks.submitted, record.tasks.done) = (done, done);
    for _ in 0..done {
        record.spectra.wall.add(1_000_000);
        record.spectra.queued.add(20_000);
    }
    record
}

fn decision(times: u32, limit_before: u32, limit: u32, veto: Option<Veto>, reason: &str) -> DecisionRecord {
    DecisionRecord {
        at_ns: 8 * SECOND,
        first_at_ns: 4 * SECOND,
        times,
        limit_before,
        limit,
        veto,
        queue_length: 1,
        reason: reason.to_owned(),
    }
}

fn own(pid: u32) -> Owner {
    Owner { pid, ..Owner::this_process().unwrap() }
}

fn shown(app: &App, theme: Theme, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app, theme, HALF_SECOND)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

fn press(app: &mut App, code: KeyCode) -> Asked {
    app.key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// Two pools, read twice.
fn app(file: &File) -> App {
    file.write(0, &record(1, "requests", 100));
    file.write(3, &record(2, "mail", 0));
    let mut app = App::of_process(file.target());
    let mut later = record(1, "requests", 600);
    later.at_ns = 10 * SECOND + SECOND / 100;
    file.write(0, &later);
    app.refresh();
    app
}

#[test]
fn a_small_terminal_shows_everything_that_matters() {
    let file = File::new("small", own(std::process::id()));
    let text = shown(&app(&file), PLAIN, (80, 24));
    let has = |words: &str| assert!(text.contains(words), "no {words:?} in\n{text}");
    has(&format!("surefoot top  {}  python server.py", std::process::id()));
    has("GIL 93 % busy  1.3 of 2.0 cores");
    has("> requests     knee          6/512        7/8    1,234    50,00");
    has("  mail");
    has("# cpu 60 %   = run queue 0 %   % gil 30 %   . io 10 %   +-0, sampled");
    has("600 done   oldest queued 5.0 ms   queued p50 18 us");
    has("6 veto gil       tasks wait, but they fight for the interpreter");
    has("(8 times in 6.0 s)");
    has("6 -> 12          tasks wait and nobody is runnable");
    has(" q quit");
    has("every 0.5 s");
    assert!(text.is_ascii(), "{text}");
    // The newest decision is the first.
    assert!(text.find("veto gil") < text.find("6 -> 12"), "{text}");
}

#[test]
fn a_wide_terminal_shows_the_shares_of_every_pool() {
    let file = File::new("wide", own(std::process::id()));
    let text = shown(&app(&file), FULL, (130, 30));
    assert!(text.contains("where the time goes") && text.contains("██████████████▓▓▓▓▓▓▓▓░░"), "{text}");
    assert!(text.contains("▶ requests") && text.contains("─ requests ─"), "{text}");
}

#[test]
fn any_size_is_drawn() {
    let file = File::new("sizes", own(std::process::id()));
    let mut app = app(&file);
    for shows_help in [false, true] {
        app.shows_help = shows_help;
        for width in [1, 10, 39, 40, 57, 79, 80, 81, 107, 108, 200] {
            for height in [1, 3, 8, 9, 12, 16, 24, 60] {
                let _ = shown(&app, FULL, (width, height));
            }
        }
    }
    let _ = shown(&App::of_list(Vec::new()), FULL, (80, 24));
}

#[test]
fn keys_choose_pause_and_quit() {
    let file = File::new("keys", own(std::process::id()));
    let mut app = app(&file);
    press(&mut app, KeyCode::Down);
    assert!(shown(&app, PLAIN, (80, 24)).contains("> mail"));
    press(&mut app, KeyCode::Down);
    assert!(shown(&app, PLAIN, (80, 24)).contains("> mail"), "there is no further one");
    press(&mut app, KeyCode::Up);
    press(&mut app, KeyCode::Char('p'));
    file.write(0, &record(1, "requests", 700));
    app.refresh();
    let text = shown(&app, PLAIN, (80, 24));
    assert!(text.contains("paused") && text.contains("600 done"), "{text}");
    press(&mut app, KeyCode::Char('p'));
    app.refresh();
    assert!(shown(&app, PLAIN, (80, 24)).contains("700 done"));
    press(&mut app, KeyCode::Char('?'));
    assert!(shown(&app, PLAIN, (80, 24)).contains("waiting for the interpreter"));
    press(&mut app, KeyCode::Esc);
    assert!(!app.shows_help);
    assert_eq!(press(&mut app, KeyCode::Char('q')), Asked::Quit { by_interrupt: false });
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.key(interrupt), Asked::Quit { by_interrupt: true });
}

#[test]
fn many_pools_scroll() {
    let file = File::new("many", own(std::process::id()));
    for place in 0..RECORDS {
        file.write(place, &record(place as u64 + 1, &format!("pool-{place}."), 1));
    }
    let mut app = App::of_process(file.target());
    for _ in 0..RECORDS {
        press(&mut app, KeyCode::Down);
    }
    let text = shown(&app, PLAIN, (80, 24));
    assert!(text.contains("> pool-31.") && !text.contains("pool-0."), "{text}");
    assert!(text.contains("32 pools") && text.contains("last decisions"), "{text}");
}

#[test]
fn a_process_that_has_ended_keeps_its_last_picture() {
    // No process has this number: it is beyond what the kernel gives out.
    let file = File::new("ended", own(4_194_305));
    file.write(0, &record(1, "requests", 100));
    let app = App::of_process(file.target());
    let text = shown(&app, PLAIN, (110, 24));
    assert!(text.contains("process 4194305 has ended without a farewell: it was killed"), "{text}");
    assert!(text.contains("> requests"), "{text}");
}

#[test]
fn a_list_leads_to_a_process_and_back() {
    let files = [File::new("list1", own(std::process::id())), File::new("list2", own(std::process::id()))];
    files[1].write(0, &record(1, "requests", 100));
    let mut app = App::of_list(files.iter().map(File::target).collect());
    let text = shown(&app, PLAIN, (80, 24));
    assert!(text.contains("processes with pools") && text.contains("98,000  python server.py"), "{text}");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert!(shown(&app, PLAIN, (80, 24)).contains("> requests"));
    press(&mut app, KeyCode::Esc);
    assert!(matches!(app.page, Page::List));
}

#[test]
fn text_for_a_file_has_no_colours_and_no_empty_lines_at_its_end() {
    let file = File::new("text", own(std::process::id()));
    let app = app(&file);
    let Page::Process(row) = &app.page else { panic!("{app:?}") };
    let text = text(&file.header, &row.history, FULL, (100, 40));
    assert!(!text.contains('\u{1b}') && text.ends_with("runnable\n"), "{text}");
}
