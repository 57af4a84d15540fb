//! A run: every question to every contender in turn, round after round.
//!
//! Taking turns spreads what else happens on the machine over all of them, and lets ratios be taken
//! within a round. A contender that fails keeps its row with the reason, and is left out of the
//! rounds that follow.

use std::io::Write;

use super::measure::{Measurement, Settings, measure};
use crate::contender::{Ask, Contender};
use crate::question::Question;

/// One contender with one question, over all rounds.
#[derive(Debug)]
pub struct Row {
    /// Who answers.
    pub contender: &'static Contender,
    /// How it is asked.
    pub ask: &'static Ask,
    /// The rounds it got through, in order.
    pub rounds: Vec<Measurement>,
    /// Why it did not get through all.
    pub failure: Option<String>,
}

/// The rows of a run before its first round.
pub fn rows(questions: &[Question], contenders: &[&'static Contender]) -> Vec<Row> {
    let mut rows = Vec::new();
    for question in questions {
        for contender in contenders {
            if let Some(ask) = contender.ask(*question) {
                rows.push(Row { contender, ask, rounds: Vec::new(), failure: None });
            }
        }
    }
    rows
}

/// Measures all rows, `rounds` times, and tells of each measurement on `progress`.
pub async fn run(settings: &Settings, rows: &mut [Row], rounds: usize, progress: &mut impl Write) {
    for round in 1..=rounds {
        for row in rows.iter_mut().filter(|row| row.failure.is_none()) {
            let outcome = measure(settings, row.contender, row.ask).await;
            let said = match &outcome {
                Ok(figures) => format!(
                    "{:.0} requests/s, {:.1} µs of processor time",
                    figures.requests_per_second, figures.cpu_us_per_request
                ),
                Err(error) => chain(error),
            };
            // Progress is a courtesy: a closed terminal must not end a run.
            let _told = writeln!(
                progress,
                "round {round}/{rounds}  {}  {:<8}  {said}",
                row.ask.question, row.contender.name
            );
            match outcome {
                Ok(figures) => row.rounds.push(figures),
                Err(_) => row.failure = Some(said),
            }
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::contender::CONTENDERS;
    use crate::question::Values;
    use crate::stand::cores::Cores;
    use crate::stand::load::Pace;

    #[test]
    fn contenders_of_one_question_stand_together() {
        let all: Vec<&Contender> = CONTENDERS.iter().collect();
        let questions: Vec<Question> =
            rows(&Question::ALL, &all).iter().map(|row| row.ask.question).collect();
        assert!(questions.is_sorted());
        let answering = CONTENDERS.iter().filter(|contender| contender.ask(Question::Q3).is_some()).count();
        assert!(answering < CONTENDERS.len(), "somebody cannot answer it");
        assert_eq!(questions.iter().filter(|question| **question == Question::Q3).count(), answering);
    }

    #[tokio::test]
    async fn a_contender_that_cannot_start_keeps_its_row_and_is_tried_once() {
        let settings = Settings {
            length: Duration::ZERO,
            warmup: Duration::ZERO,
            connections: 1,
            pace: Pace::Closed,
            values: Values::Fixed,
            cores: Cores::Shared,
            programs: PathBuf::from("/nowhere"),
        };
        let mut rows = rows(&[Question::Q1], &[&CONTENDERS[0]]);
        let mut progress = Vec::new();
        run(&settings, &mut rows, 3, &mut progress).await;
        let failure = rows[0].failure.as_deref().unwrap();
        assert!(failure.contains("/nowhere/bench-upstream"), "{failure}");
        assert_eq!(String::from_utf8(progress).unwrap().lines().count(), 1);
    }
}
