//! Rows as a table for people and as JSON for comparisons.
//!
//! A figure over rounds is its median with the smallest and the largest. The ratio to LIMIT is that
//! of processor time, taken within each round. What makes a figure doubtful stands beside it, and so
//! does whether a target was met.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::load::Pace;
use super::machine::Machine;
use super::measure::{Measurement, Settings};
use super::run::Row;
use super::target::{self, Judged};
use crate::contender::LIMIT;
use crate::question::Values;

/// A closed loop in which the contender got less of its core than this measured something else.
const BUSY_MIN: f64 = 0.9;

/// Everything that a run found out.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    conditions: Conditions,
    rows: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Conditions {
    seconds: f64,
    rounds: usize,
    connections: usize,
    /// Requests a second, or nothing for a closed loop.
    open_rate: Option<u64>,
    values: &'static str,
    cores: String,
}

#[derive(Debug, Serialize)]
struct Line {
    question: String,
    query: String,
    contender: &'static str,
    about: &'static str,
    figures: Option<Figures>,
    calls_expected: u64,
    targets: Vec<Judged>,
    notes: Vec<String>,
    rounds: Vec<Measurement>,
}

#[derive(Debug, Serialize)]
struct Figures {
    requests_per_second: Spread,
    p50_us: Spread,
    p99_us: Spread,
    /// What the contender adds to one upstream call at p50; at an open rate only.
    added_p50_us: Option<Spread>,
    cpu_us_per_request: Spread,
    cpu_ratio_to_limit: Option<Spread>,
    busy: Spread,
    memory_peak_mib: Spread,
    calls_per_request: Spread,
}

/// A figure over rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Report {
    /// Sums up a run.
    pub fn new(machine: Machine, settings: &Settings, rounds: usize, rows: Vec<Row>) -> Self {
        let conditions = Conditions {
            seconds: settings.length.as_secs_f64(),
            rounds,
            connections: settings.connections,
            open_rate: match settings.pace {
                Pace::Closed => None,
                Pace::Open(rate) => Some(rate.get()),
            },
            values: match settings.values {
                Values::Fixed => "fixed, in the text",
                Values::Vary => "varying, in variables",
            },
            cores: format!("{:?}", settings.cores),
        };
        let rows = rows.iter().map(|row| line(row, &rows, settings)).collect();
        Self { machine, conditions, rows }
    }

    /// Whether every contender got through every round with right answers and the calls it should
    /// have made.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| {
            row.figures.is_some()
                && row.rounds.len() == self.conditions.rounds
                && row.rounds.iter().all(|round| {
                    round.wrong == 0 && round.failed == 0 && calls_are_right(round, row.calls_expected)
                })
        })
    }

    /// The table, with the machine and the conditions above it.
    pub fn table(&self) -> String {
        let Conditions { seconds, rounds, connections, open_rate, values, cores } = &self.conditions;
        let pace = match open_rate {
            Some(rate) => format!("open rate of {rate}/s"),
            None => "closed loop".to_owned(),
        };
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header(HEADER);
        for column in table.column_iter_mut().skip(2).take(HEADER.len() - 4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            table.add_row(cells(row));
        }
        format!(
            "{}\n{pace}, {connections} connections, {rounds} rounds of {seconds} s, values {values}\n\
             cores: {cores}\nmedian (min-max) over rounds; ratio: processor time to LIMIT's in the same round\n\
             {table}",
            self.machine.line()
        )
    }
}

const HEADER: [&str; 13] = [
    "question",
    "contender",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "added µs",
    "CPU µs/request",
    "ratio",
    "busy",
    "peak MiB",
    "calls",
    "target",
    "notes",
];

fn line(row: &Row, rows: &[Row], settings: &Settings) -> Line {
    let figures = figures(row, rows);
    Line {
        question: row.ask.question.to_string(),
        query: row.ask.question.text(),
        contender: row.contender.name,
        about: row.contender.about,
        targets: targets(row, rows, figures.as_ref(), settings.pace),
        figures,
        calls_expected: row.ask.calls,
        notes: notes(row, settings),
        rounds: row.rounds.clone(),
    }
}

fn figures(row: &Row, rows: &[Row]) -> Option<Figures> {
    let spread = |figure: fn(&Measurement) -> f64| Spread::of(row.rounds.iter().map(figure));
    let added = |round: &Measurement| round.direct_p50_us.map(|direct| round.p50_us as f64 - direct as f64);
    Some(Figures {
        requests_per_second: spread(|round| round.requests_per_second)?,
        p50_us: spread(|round| round.p50_us as f64)?,
        p99_us: spread(|round| round.p99_us as f64)?,
        added_p50_us: Spread::of(row.rounds.iter().filter_map(added)),
        cpu_us_per_request: spread(|round| round.cpu_us_per_request)?,
        cpu_ratio_to_limit: ratio(row, rows, LIMIT),
        busy: spread(|round| round.busy)?,
        memory_peak_mib: spread(|round| round.memory_peak_kib as f64 / 1024.0)?,
        calls_per_request: spread(|round| round.calls_per_request)?,
    })
}

/// Processor time per request as a ratio to another contender's, question by question and round by
/// round; nothing when the other was not measured.
fn ratio(row: &Row, rows: &[Row], to: &str) -> Option<Spread> {
    let other =
        rows.iter().find(|other| other.contender.name == to && other.ask.question == row.ask.question)?;
    let pairs = row.rounds.iter().zip(&other.rounds);
    Spread::of(pairs.map(|(own, other)| own.cpu_us_per_request / other.cpu_us_per_request))
}

/// Whether the row's promises were kept. Processor time is compared in a closed loop only: at an open
/// rate most of it is the price of waking up.
fn targets(row: &Row, rows: &[Row], figures: Option<&Figures>, pace: Pace) -> Vec<Judged> {
    let (name, question) = (row.contender.name, row.ask.question);
    let target = target::of(name, question).filter(|_| matches!(pace, Pace::Closed));
    let judged = target.and_then(|it| ratio(row, rows, it.against).map(|ratio| it.judge(ratio.median)));
    let added = figures.and_then(|figures| figures.added_p50_us);
    let added = added.and_then(|added| target::judge_added(name, question, added.median));
    judged.into_iter().chain(added).collect()
}

/// What a reader must know before believing a row.
fn notes(row: &Row, settings: &Settings) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(row.failure.clone());
    let wrong: u64 = row.rounds.iter().map(|round| round.wrong).sum();
    if wrong > 0 {
        notes.push(format!("{wrong} wrong answers"));
    }
    let failed: u64 = row.rounds.iter().map(|round| round.failed).sum();
    if let Some(why) = row.rounds.iter().find_map(|round| round.first_failure.as_deref()) {
        notes.push(format!("{failed} connections failed: {why}"));
    }
    if !row.rounds.iter().all(|round| calls_are_right(round, row.ask.calls)) {
        notes.push(format!("{} calls expected", row.ask.calls));
    }
    if !row.rounds.iter().all(|round| round.same_bytes) {
        notes.push("equal as JSON, not the same bytes".to_owned());
    }
    let short = row.rounds.iter().any(|round| round.busy < BUSY_MIN);
    if short && matches!(settings.pace, Pace::Closed) && settings.cores.contender().is_some() {
        notes.push("its core was not full: requests/s and latency are not its own".to_owned());
    }
    notes
}

fn calls_are_right(round: &Measurement, expected: u64) -> bool {
    (round.calls_per_request - expected as f64).abs() < f64::EPSILON
}

fn cells(row: &Line) -> Vec<String> {
    let mut cells = vec![row.question.clone(), row.contender.to_owned()];
    match &row.figures {
        Some(figures) => cells.extend([
            figures.requests_per_second.cell(0),
            figures.p50_us.cell(0),
            figures.p99_us.cell(0),
            figures.added_p50_us.map_or_else(|| "-".to_owned(), |added| added.cell(0)),
            figures.cpu_us_per_request.cell(1),
            figures.cpu_ratio_to_limit.map_or_else(|| "-".to_owned(), |ratio| ratio.cell(2)),
            format!("{:.0} %", figures.busy.median * 100.0),
            format!("{:.1}", figures.memory_peak_mib.max),
            format!("{:.2}", figures.calls_per_request.median),
        ]),
        None => cells.extend((0..9).map(|_| "-".to_owned())),
    }
    cells.push(row.targets.iter().map(Judged::cell).collect::<Vec<_>>().join("; "));
    cells.push(row.notes.join("; "));
    cells
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Some(Self { median, min, max })
    }

    fn cell(self, digits: usize) -> String {
        let Self { median, min, max } = self;
        format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::contender::{CONTENDERS, Contender, TURNOUT};
    use crate::question::Question;
    use crate::stand::cores::Cores;
    use crate::stand::run::rows;

    fn settings() -> Settings {
        Settings {
            length: Duration::from_secs(3),
            warmup: Duration::from_secs(1),
            connections: 50,
            pace: Pace::Closed,
            values: Values::Fixed,
            cores: Cores::Apart { contender: 0, upstream: 1, load: 1 },
            programs: PathBuf::new(),
        }
    }

    fn round(cpu_us_per_request: f64) -> Measurement {
        Measurement {
            requests: 1_000,
            requests_per_second: 1_000.0,
            p50_us: 900,
            p99_us: 2_000,
            direct_p50_us: None,
            cpu_us_per_request,
            busy: 1.0,
            memory_peak_kib: 10_240,
            calls_per_request: 1.0,
            same_bytes: true,
            wrong: 0,
            failed: 0,
            first_failure: None,
        }
    }

    fn machine() -> Machine {
        Machine {
            cpu: "CPU".to_owned(),
            cores: 2,
            kernel: "6".to_owned(),
            load_before: "0.00".to_owned(),
            date: "2026-01-01 00:00 UTC".to_owned(),
        }
    }

    /// The rows of Q1 with these processor times, LIMIT's first.
    fn report(limit: &[f64], other: &[f64]) -> Report {
        let two: Vec<&Contender> = CONTENDERS.iter().take(2).collect();
        let mut rows = rows(&[Question::Q1], &two);
        rows[0].rounds = limit.iter().copied().map(round).collect();
        rows[1].rounds = other.iter().copied().map(round).collect();
        Report::new(machine(), &settings(), limit.len(), rows)
    }

    #[test]
    fn the_ratio_is_taken_within_each_round() {
        // The machine was half as fast in the second round; the ratio does not see it.
        let report = report(&[20.0, 40.0, 20.0], &[10.0, 20.0, 15.0]);
        let ratio = report.rows[1].figures.as_ref().unwrap().cpu_ratio_to_limit.unwrap();
        assert_eq!(ratio, Spread { median: 0.5, min: 0.5, max: 0.75 });
        assert!(report.is_clean());
    }

    #[test]
    fn a_promised_ratio_is_judged_by_its_median() {
        let judged = |figures: &[f64]| {
            let report = report(&[20.0, 20.0, 20.0], figures);
            assert_eq!(report.rows[1].contender, TURNOUT);
            report.rows[1].targets.iter().map(Judged::cell).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(judged(&[30.0, 19.0, 18.0]), "met: 0.95 of limit's CPU, 1 allowed");
        assert_eq!(judged(&[30.0, 21.0, 18.0]), "MISSED: 1.05 of limit's CPU, 1 allowed");
    }

    #[test]
    fn added_latency_is_the_difference_within_each_round() {
        let all: Vec<&Contender> = CONTENDERS.iter().collect();
        let mut rows = rows(&[Question::Q1], &all);
        let opened = |p50_us, direct| Measurement { p50_us, direct_p50_us: Some(direct), ..round(20.0) };
        rows[1].rounds = vec![opened(300, 200), opened(500, 380), opened(260, 190)];
        let report = Report::new(machine(), &settings(), 3, rows);
        let added = report.rows[1].figures.as_ref().unwrap().added_p50_us.unwrap();
        assert_eq!(added, Spread { median: 100.0, min: 70.0, max: 120.0 });
        let cells: Vec<String> = report.rows[1].targets.iter().map(Judged::cell).collect();
        assert_eq!(cells, ["met: 100.00 µs added, 100 allowed"]);
    }

    #[test]
    fn a_median_of_an_even_count_lies_between_the_middle_two() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0].into_iter()).unwrap().median, 3.0);
        assert_eq!(Spread::of(std::iter::empty()), None);
    }

    #[test]
    fn doubtful_figures_carry_their_doubts() {
        let mut rows = rows(&[Question::Q1], &[&CONTENDERS[0]]);
        rows[0].rounds = vec![Measurement {
            busy: 0.5,
            calls_per_request: 2.0,
            same_bytes: false,
            wrong: 7,
            failed: 1,
            first_failure: Some("reset".to_owned()),
            ..round(20.0)
        }];
        let report = Report::new(machine(), &settings(), 1, rows);
        assert!(!report.is_clean());
        assert_eq!(
            report.rows[0].notes,
            [
                "7 wrong answers",
                "1 connections failed: reset",
                "1 calls expected",
                "equal as JSON, not the same bytes",
                "its core was not full: requests/s and latency are not its own",
            ]
        );
    }

    #[test]
    fn a_contender_that_failed_has_a_row_with_its_reason() {
        let all: Vec<&Contender> = CONTENDERS.iter().collect();
        let mut rows = rows(&[Question::Q1], &all);
        rows[0].rounds = vec![round(20.0)];
        rows[1].failure = Some("it does not start".to_owned());
        let report = Report::new(machine(), &settings(), 1, rows);
        assert!(!report.is_clean());
        let table = report.table();
        let row = table.lines().find(|line| line.contains("turnout")).unwrap();
        assert!(row.contains("it does not start"), "{table}");
        assert!(serde_json::to_string(&report).unwrap().contains("it does not start"));
    }
}
