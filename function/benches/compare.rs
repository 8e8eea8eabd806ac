//! Measures executables that Lambda could start, with TLS and one port per service: `make bench-function`.
//!
//! Invariant: it only measures. The executables take turns, so that other load on the machine affects all of them
//! equally.
//!
//! Starts are measured on all processors, because Lambda gives a start more CPU than an event. Events are then measured
//! on one processor, which function and services share. Otherwise the kernel would place them on one or two processors
//! at will, and on two, every request and every reply has to wake up an idle processor.
#![allow(clippy::print_stdout, reason = "the result is a table")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;
use support::runtime_api::{RuntimeApi, Said};
use support::sources::batch;
use support::{Cloud, event, record};

/// musl's own allocator would slow down the services and distort the measurements.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Runs per executable, on all processors and again on one.
const RUNS: usize = 25;

/// Events per run. Nothing reads the function's log, so it must fit in a pipe.
const EVENTS: usize = 60;

/// Pictures in the batch at the end of a run, as many as the event source mapping for existing pictures sends.
const PICTURES: u32 = 10;

/// The measurements of one run, in microseconds and KiB.
#[derive(Default)]
struct Sample {
    poll: f64,
    cold: f64,
    warm: Vec<f64>,
    /// The time per picture of a batch from a queue.
    batched: f64,
    memory: f64,
}

struct Subject {
    name: String,
    program: PathBuf,
    arguments: Vec<&'static str>,
    environment: Vec<(&'static str, String)>,
    /// Whether it accepts batches from a queue.
    takes_batches: bool,
    /// Runs on all processors.
    spread: Vec<Sample>,
    /// Runs on one processor.
    narrow: Vec<Sample>,
}

impl Subject {
    fn new(name: &str, program: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program,
            arguments: Vec::new(),
            environment: Vec::new(),
            takes_batches: false,
            spread: Vec::new(),
            narrow: Vec::new(),
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(compare());
}

async fn compare() {
    let beside = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "benches", "python"].iter().collect();
    let copies = beside.join("compare-copies");
    std::fs::create_dir_all(&copies).unwrap();
    // A file written by a linker is scattered in the page cache and starts more slowly than one that Lambda has
    // unpacked.
    let copied = |name: &str, program: &Path| {
        let copy = copies.join(name);
        std::fs::copy(program, &copy).unwrap();
        Subject::new(name, copy)
    };
    let function = copied("this function", &beside.join("../bootstrap"));
    let mut subjects = vec![Subject { takes_batches: true, ..function }];
    subjects.extend(std::env::var_os("OTHERS").iter().flat_map(std::env::split_paths).map(|other| {
        let name = other.file_name().unwrap_or_default().to_string_lossy().into_owned();
        copied(&name, &other)
    }));
    subjects.push(copied("no SDK", &beside.join("floor")));
    subjects.extend(std::env::var_os("PYTHON").map(|python| Subject {
        arguments: vec!["-m", "awslambdaric", "handler.handle"],
        environment: vec![
            ("LAMBDA_TASK_ROOT", folder.display().to_string()),
            ("PYTHONPATH", folder.display().to_string()),
            ("_HANDLER", "handler.handle".to_owned()),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ],
        ..Subject::new("Python, boto3", python.into())
    }));
    let cloud = Cloud::over_tls().await;
    rounds(&mut subjects, &cloud, |subject| &mut subject.spread).await;
    stay_on_one_processor();
    rounds(&mut subjects, &cloud, |subject| &mut subject.narrow).await;
    print(&subjects);
}

/// Pins this process, and every process that it starts from now on, to the first available processor.
#[cfg(target_os = "linux")]
fn stay_on_one_processor() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let all = sched_getaffinity(None).unwrap();
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|&processor| all.is_set(processor)).unwrap());
    sched_setaffinity(None, &one).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn stay_on_one_processor() {
    panic!("the benchmark needs Linux for CPU affinity and /proc");
}

async fn rounds(subjects: &mut [Subject], cloud: &Cloud, samples: impl Fn(&mut Subject) -> &mut Vec<Sample>) {
    for round in 0..=RUNS {
        for subject in &mut *subjects {
            let sample = run(subject, cloud).await;
            // The first round warms the machine's caches.
            if round > 0 {
                samples(subject).push(sample);
            }
        }
    }
}

async fn run(subject: &Subject, cloud: &Cloud) -> Sample {
    cloud.forget();
    let mut api = RuntimeApi::start().await;
    let upload = event(&[record("a.jpg")]);
    let event = upload.to_string();
    let mut environment = cloud.environment();
    environment.extend(subject.environment.iter().cloned());
    // Lambda receives the event before it starts the function.
    api.send(event.clone());
    let mut sent = Instant::now();
    let child = api.run(&subject.program, &subject.arguments, &environment);
    let micros = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1e6;
    let (polled, said) = api.hear().await;
    assert_eq!(said, Said::Polled, "{}", subject.name);
    let mut sample = Sample { poll: micros(sent, polled), ..Sample::default() };
    for number in 0..EVENTS {
        if number > 0 {
            sent = Instant::now();
            api.send(event.clone());
        }
        let (answered, said) = api.hear().await;
        let Said::Response(document) = said else { panic!("{}: {said:?}", subject.name) };
        assert!(document.contains("stored"), "{}: {document}", subject.name);
        match number {
            0 => sample.cold = micros(sent, answered),
            _ => sample.warm.push(micros(sent, answered)),
        }
        assert_eq!(api.hear().await.1, Said::Polled);
    }
    if subject.takes_batches {
        let sent = Instant::now();
        api.send(batch(std::iter::repeat_n(&upload, PICTURES as usize)).to_string());
        let (answered, said) = api.hear().await;
        assert_eq!(said, Said::Response(json!({ "batchItemFailures": [] }).to_string()), "{}", subject.name);
        sample.batched = micros(sent, answered) / f64::from(PICTURES);
        assert_eq!(api.hear().await.1, Said::Polled);
    }
    assert_eq!(cloud.state().tables.rows.len(), 1);
    sample.memory = peak(child.id());
    sample
}

/// The peak memory of the process, in KiB.
fn peak(process: u32) -> f64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "an index into a short list"
)]
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn print(subjects: &[Subject]) {
    println!("Medians of {RUNS} runs. Warm: the median of each run's quantile over its {} later events.\n", EVENTS - 1);
    println!(
        "| | first poll, ms | cold, ms | warm p50, ms | warm p99, ms | p50 on all processors, ms | peak memory, MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut first = None;
    for subject in subjects {
        let median =
            |samples: &[Sample], pick: &dyn Fn(&Sample) -> f64| quantile(samples.iter().map(pick).collect(), 0.5);
        let figures = [
            median(&subject.spread, &|sample| sample.poll) / 1e3,
            median(&subject.spread, &|sample| sample.cold) / 1e3,
            median(&subject.narrow, &|sample| quantile(sample.warm.clone(), 0.5)) / 1e3,
            median(&subject.narrow, &|sample| quantile(sample.warm.clone(), 0.99)) / 1e3,
            median(&subject.spread, &|sample| quantile(sample.warm.clone(), 0.5)) / 1e3,
            median(&subject.spread, &|sample| sample.memory) / 1024.0,
        ];
        let base = *first.get_or_insert(figures);
        let cells = figures.iter().zip(base).map(|(figure, base)| format!("{figure:.2} (×{:.2})", figure / base));
        println!("| {} | {} |", subject.name, cells.collect::<Vec<_>>().join(" | "));
    }
    for subject in subjects.iter().filter(|subject| subject.takes_batches) {
        let median = |pick: &dyn Fn(&Sample) -> f64| quantile(subject.narrow.iter().map(pick).collect(), 0.5) / 1e3;
        let single = median(&|sample| quantile(sample.warm.clone(), 0.5));
        let batched = median(&|sample| sample.batched);
        let ratio = batched / single;
        println!("\n{}: {batched:.2} ms per picture in a batch of {PICTURES} (×{ratio:.2})", subject.name);
    }
}
