use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::owner::Owner;
use super::place::{Surroundings, file_name, files, is_safe, pid_in, prepare, sweep};
use super::*;
use crate::decision::{Entry, Log, Rule, Veto};
use crate::ledger::{Counts, Spectra};
use crate::share::ShareSums;
use crate::spectrum::Spectrum;

fn text(width: usize) -> impl Strategy<Value = String> {
    // Letters of one to four bytes, never more than fit.
    prop::collection::vec(prop::sample::select(vec!['a', 'Z', '-', '9', 'é', '人', '🦶']), 0..=width / 4)
        .prop_map(String::from_iter)
}

prop_compose! {
    fn header()(
        numbers in any::<(u32, u64, u64, u32, u64, u64)>(),
        texts in (text(32), text(32), text(256)),
    ) -> Header {
        let (pid, start_ticks, pid_namespace, pools_unshown, clock_zero_ns, created_unix_ns) = numbers;
        let (python, surefoot, program) = texts;
        let owner = Owner { pid, start_ticks, pid_namespace };
        Header { owner, pools_unshown, clock_zero_ns, created_unix_ns, python, surefoot, program }
    }
}

fn veto() -> impl Strategy<Value = Option<Veto>> {
    let vetoes = vec![Veto::Gil, Veto::Cpu, Veto::Quota, Veto::Memory, Veto::Plateau, Veto::Cap];
    prop::option::of(prop::sample::select(vetoes))
}

prop_compose! {
    fn decision()(
        times in any::<(u64, u64, u32)>(),
        limits in any::<(u32, u32, u32)>(),
        veto in veto(),
        reason in text(104),
    ) -> DecisionRecord {
        let ((at_ns, first_at_ns, times), (limit_before, limit, queue_length)) = (times, limits);
        DecisionRecord { at_ns, first_at_ns, times, limit_before, limit, veto, queue_length, reason }
    }
}

prop_compose! {
    fn spectrum()(counts in prop::collection::vec(any::<u32>(), crate::spectrum::BUCKETS)) -> Spectrum {
        Spectrum(counts.try_into().expect("as many as there are buckets"))
    }
}

prop_compose! {
    fn record()(
        times in (1_u64.., any::<(u64, u64, u64)>()),
        flags in any::<(bool, bool, bool, bool)>(),
        counts in any::<([u32; 6], [u64; 7])>(),
        sensor in 0..4_usize,
        figures in prop::array::uniform3(prop::option::of(0.0..1e9_f64)),
        throughput_per_s in 0.0..1e9_f64,
        parts in prop::array::uniform9(0.0..1e18_f64),
        texts in (text(64), text(24)),
        spectra in (spectrum(), spectrum()),
        decisions in prop::collection::vec(decision(), 0..=DECISIONS),
    ) -> PoolRecord {
        let (sequence, (pool, at_ns, first_at_ns)) = times;
        let (is_busy, is_closed, is_throttled, is_sampled) = flags;
        let ([limit, cap, min_workers, workers_live, workers_busy, workers_joining], numbers) = counts;
        let [queue_length, queue_head_age_ns, submitted, running, done, failed, cancelled] = numbers;
        let [cores, cores_used, gil_busy_share] = figures;
        let sensors = [GilSensor::Unknown, GilSensor::Off, GilSensor::Lock, GilSensor::Waiters];
        PoolRecord {
            sequence, pool, at_ns, first_at_ns, is_busy, is_closed, is_throttled,
            limit, cap, min_workers, workers_live, workers_busy, workers_joining,
            gil_sensor: sensors[sensor],
            queue_length, queue_head_age_ns,
            tasks: Counts { submitted, running, done, failed, cancelled, ..Counts::default() },
            throughput_per_s, cores, cores_used, gil_busy_share,
            shares: ShareSums::of_array(parts, is_sampled),
            name: texts.0, controller: texts.1, interval_ns: at_ns,
            spectra: Spectra { queued: spectra.0, wall: spectra.1 },
            decisions,
        }
    }
}

fn encoded(record: &PoolRecord) -> Block {
    let mut block = [0; BLOCK];
    record.encode(&mut block);
    block
}

/// Gives any bytes the checksum that they should have, by writing them as fields.
fn sealed(bytes: &[u8]) -> Block {
    let mut block = [0; BLOCK];
    let mut pen = bytes::Pen::new(&mut block);
    pen.bytes(&bytes[..bytes.len().min(BLOCK - 8)]);
    pen.seal();
    block
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_header_comes_back(header in header()) {
        let mut block = [0; BLOCK];
        header.encode(&mut block);
        prop_assert_eq!(Header::decode(&block), Ok(header));
    }

    #[test]
    fn a_record_comes_back(record in record()) {
        prop_assert_eq!(PoolRecord::decode(&encoded(&record)), Ok(Some(record)));
    }

    #[test]
    fn half_of_another_record_is_torn(before in record(), after in record(), cut in 8..BLOCK - 8) {
        prop_assume!(before != after);
        let (old, mut torn) = (encoded(&before), encoded(&after));
        torn[cut..].copy_from_slice(&old[cut..]);
        prop_assume!(torn != old && torn != encoded(&after));
        prop_assert_eq!(PoolRecord::decode(&torn), Err(Damage::Torn));
    }

    #[test]
    fn one_wrong_bit_is_found(record in record(), place in 8..BLOCK, bit in 0..8_u32) {
        let mut block = encoded(&record);
        block[place] ^= 1 << bit;
        prop_assert_eq!(PoolRecord::decode(&block), Err(Damage::Torn));
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..BLOCK + 100)) {
        let _ = Header::decode(&bytes);
        let _ = PoolRecord::decode(&bytes);
        let mut with_magic = bytes.clone();
        for (place, byte) in MAGIC.into_iter().chain(VERSION.to_le_bytes()).enumerate() {
            if let Some(at) = with_magic.get_mut(place) {
                *at = byte;
            }
        }
        let _ = Header::decode(&with_magic);
        // Even with a checksum that is right.
        let header = Header::decode(&sealed(&with_magic));
        if with_magic.len() >= 12 {
            let header = header.expect("the checksum is right");
            prop_assert!(!header.program.contains(char::is_control));
        }
        if let Some(record) = PoolRecord::decode(&sealed(&bytes)).expect("the checksum is right") {
            prop_assert!(record.decisions.len() <= DECISIONS);
            prop_assert!(!record.name.contains(char::is_control));
            if let Some(shares) = record.shares.shares() {
                prop_assert!((0.0..=1.0).contains(&shares.cpu) && (0.0..=1.0).contains(&shares.error));
            }
            let _ = record.spectra.wall.quantile_ns(0.99);
            let _ = record.shares.since(&ShareSums::default());
        }
    }
}

#[test]
fn a_free_place_and_other_files_are_known() {
    assert_eq!(PoolRecord::decode(&[0; BLOCK]), Ok(None));
    assert_eq!(PoolRecord::decode(&[1; 100]), Err(Damage::Short));
    assert_eq!(Header::decode(b""), Err(Damage::Short));
    assert_eq!(Header::decode(&[b'#'; BLOCK]), Err(Damage::Foreign));
    let mut block = [0; BLOCK];
    Header::default().encode(&mut block);
    block[8] = 2;
    assert_eq!(Header::decode(&block[..64]), Err(Damage::Version(2)), "whatever else it holds");
}

#[test]
fn texts_are_cut_between_letters() {
    let name = "é".repeat(40);
    let read = PoolRecord::decode(&encoded(&PoolRecord {
        sequence: 1,
        name: name + "x",
        controller: "two\0words\u{1b}[31m and more".into(),
        ..PoolRecord::default()
    }));
    let read = read.expect("whole").expect("used");
    assert_eq!((read.name, read.controller.as_str()), ("é".repeat(32), "two"));
}

#[test]
fn a_veto_that_is_repeated_is_one_line() {
    let mut log = Log::default();
    let mut push = |at_ns, limit_before, limit, veto| {
        log.push(Entry {
            at_ns,
            limit_before,
            limit,
            rule: Rule::Controller,
            reason: "test",
            veto,
            queue_length: 3,
            completions: 0,
            beta_mean: None,
        });
    };
    push(1, 4, 8, None);
    for at_ns in 2..=9 {
        push(at_ns, 8, 8, Some(Veto::Gil));
    }
    push(10, 8, 8, Some(Veto::Cap));
    let lines: Vec<_> = decision_records(&log)
        .into_iter()
        .map(|line| (line.first_at_ns, line.at_ns, line.times, line.veto))
        .collect();
    assert_eq!(lines, [(1, 1, 1, None), (2, 9, 8, Some(Veto::Gil)), (10, 10, 1, Some(Veto::Cap))]);
    for at_ns in 0..2 * DECISIONS as u64 {
        log.push(Entry {
            at_ns,
            limit_before: 1,
            limit: 2,
            rule: Rule::Controller,
            reason: "up",
            veto: None,
            queue_length: 0,
            completions: 0,
            beta_mean: None,
        });
    }
    assert_eq!(decision_records(&log).len(), DECISIONS);
}

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("surefoot-place-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn user(&self) -> u32 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(&self.0).expect("it was made").uid()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn only_a_folder_that_is_the_users_alone_will_do() {
    let folder = Folder::new("safe");
    let own = fs::create_dir(&folder.0).map(|()| folder.user()).expect("a folder");
    fs::remove_dir(&folder.0).expect("it is empty");
    prepare(&folder.0, own).expect("it was not there");
    assert_eq!(fs::metadata(&folder.0).expect("made").permissions().mode() & 0o777, 0o700);
    prepare(&folder.0, own).expect("it is still good");
    assert!(prepare(&folder.0, own + 1).unwrap_err().contains("belongs to user"));
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o770)).expect("it is ours");
    assert!(is_safe(&folder.0, own).unwrap_err().contains("others may write"));
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let link = folder.0.join("link");
    symlink(&folder.0, &link).expect("a link");
    assert!(prepare(&link, own).unwrap_err().contains("no folder"));
    assert!(prepare(&folder.0.join("no/where"), own).is_err());
}

#[test]
fn the_environment_says_where() {
    let shared = PathBuf::from("/tmp/surefoot-7");
    let here = Surroundings { user: 7, ..Surroundings::default() };
    assert_eq!(here.folders(), std::slice::from_ref(&shared));
    let nobodys = Surroundings { runtime: Some("/nonexistent".into()), ..here.clone() };
    assert_eq!(nobodys.folders(), std::slice::from_ref(&shared), "there is no such folder");
    let chosen = Surroundings { chosen: Some("/x".into()), ..nobodys };
    assert_eq!(chosen.folders(), [Path::new("/x")]);
    let folder = Folder::new("runtime");
    fs::create_dir(&folder.0).expect("a folder");
    let user = folder.user();
    let own = Surroundings { runtime: Some(folder.0.clone()), user, chosen: None };
    assert_eq!(own.folders()[0], folder.0.join("surefoot"));
    assert_eq!(own.folders().len(), 2);
}

#[test]
fn names_tell_the_process() {
    assert_eq!(pid_in(&file_name(12, 345)), Some(12));
    for other in ["12.snapshot", "x-1.snapshot", "12-1", "12-.snapshot", ".snapshot"] {
        assert_eq!(pid_in(other), None, "{other}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn only_what_the_dead_left_behind_is_swept() {
    let folder = Folder::new("sweep");
    fs::create_dir(&folder.0).expect("a folder");
    let user = folder.user();
    let own = Owner::this_process().expect("this is Linux");
    let write = |owner: Owner| {
        let mut block = [0; BLOCK];
        Header { owner, ..Header::default() }.encode(&mut block);
        fs::write(folder.0.join(file_name(owner.pid, owner.start_ticks)), block).expect("a file");
    };
    write(own);
    write(Owner { start_ticks: 1, ..own });
    write(Owner { start_ticks: 2, pid_namespace: 1, ..own });
    fs::write(folder.0.join(file_name(1, 1)), b"half").expect("a file");
    fs::write(folder.0.join("other"), b"").expect("a file");
    assert_eq!(files(&folder.0).len(), 4);
    sweep(&folder.0, user);
    let names: Vec<_> = files(&folder.0).into_iter().map(|(_, path)| path).collect();
    let kept = [file_name(1, 1), file_name(own.pid, 2), file_name(own.pid, own.start_ticks)];
    assert!(names.len() == 3 && kept.iter().all(|name| names.contains(&folder.0.join(name))), "{names:?}");
}
