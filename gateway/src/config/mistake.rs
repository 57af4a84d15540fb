//! How is a mistake told, so that the person who made it can mend it at once?
//!
//! A mistake has an origin (a span of the file, an environment variable, the command line), one
//! sentence, and often a hint. `Mistakes` holds all that one reading found, in the order of the file,
//! and prints each with its source line and a caret. Text of secret settings is never printed: their
//! spans are covered with `*`.

use std::fmt;

/// Characters of a source line that are shown around the caret.
const LINE_SHOWN: usize = 110;
/// Characters of a user's own word that a sentence repeats.
const WORD_SHOWN: usize = 60;

/// A range of the file, in characters from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) const START: Span = Span { start: 0, end: 1 };

    pub(crate) fn at(start: usize) -> Span {
        Span { start, end: start.saturating_add(1) }
    }

    pub(crate) fn to(self, last: Span) -> Span {
        Span { start: self.start, end: last.end.max(self.start) }
    }
}

/// Where a value came from. The order is the order of printing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    File(Span),
    Env(String),
    Flag,
    Default,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    pub(crate) origin: Origin,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The file as lines, for positions and for showing them.
#[derive(Clone)]
pub(crate) struct Source {
    name: String,
    lines: Vec<Vec<char>>,
    starts: Vec<usize>,
}

impl Source {
    pub(crate) fn new(name: String, text: &str) -> Source {
        let lines: Vec<Vec<char>> = text.split('\n').map(|line| line.chars().collect()).collect();
        let mut start = 0;
        let mut starts = Vec::with_capacity(lines.len());
        for line in &lines {
            starts.push(start);
            start += line.len() + 1;
        }
        Source { name, lines, starts }
    }

    /// Line and column of a character, both from 1, never past the end of the text.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        let column = (at - self.starts[line]).min(self.lines[line].len());
        (line + 1, column + 1)
    }

    /// `turnout.yaml:3:5`.
    pub(crate) fn place(&self, span: Span) -> String {
        let (line, column) = self.position(span.start);
        format!("{}:{line}:{column}", self.name)
    }

    fn cover(&mut self, span: Span) {
        for (line, start) in self.lines.iter_mut().zip(&self.starts) {
            let from = span.start.saturating_sub(*start).min(line.len());
            let to = span.end.saturating_sub(*start).min(line.len());
            line[from..to].fill('*');
        }
    }

    /// Covers what follows `name:` on every line: all that is left when a broken file has no tree.
    fn cover_after(&mut self, name: &str) {
        let word: Vec<char> = format!("{name}:").chars().collect();
        for line in &mut self.lines {
            if let Some(at) = line.windows(word.len()).position(|window| window == word) {
                line[at + word.len()..]
                    .iter_mut()
                    .filter(|char| !char.is_whitespace())
                    .for_each(|char| *char = '*');
            }
        }
    }
}

/// All that one reading found; there is at least one.
#[derive(Clone)]
pub struct Mistakes {
    source: Option<Source>,
    found: Vec<Mistake>,
}

/// What must not be printed.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// Values of secret settings.
    pub(crate) spans: Vec<Span>,
    /// Last words of secret settings, where the file has no tree.
    pub(crate) names: Vec<&'static str>,
}

impl Mistakes {
    pub(crate) fn new(mut source: Option<Source>, hidden: &Hidden, mut found: Vec<Mistake>) -> Mistakes {
        found.sort();
        found.dedup();
        if let Some(source) = &mut source {
            hidden.spans.iter().for_each(|span| source.cover(*span));
            hidden.names.iter().for_each(|name| source.cover_after(name));
        }
        Mistakes { source, found }
    }

    /// How many mistakes there are.
    #[expect(clippy::len_without_is_empty, reason = "no mistakes is the Ok side of `read`")]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Line and column of those that are in the file.
    #[cfg(test)]
    pub(crate) fn positions(&self) -> Vec<(usize, usize)> {
        let Some(source) = &self.source else { return Vec::new() };
        let place = |mistake: &Mistake| match mistake.origin {
            Origin::File(span) => Some(source.position(span.start)),
            Origin::Env(_) | Origin::Flag | Origin::Default => None,
        };
        self.found.iter().filter_map(place).collect()
    }

    fn write(&self, out: &mut fmt::Formatter<'_>, mistake: &Mistake) -> fmt::Result {
        writeln!(out, "error: {}", mistake.message)?;
        match (&mistake.origin, &self.source) {
            (Origin::File(span), Some(source)) => {
                return write_excerpt(out, source, *span, mistake.hint.as_deref());
            }
            (Origin::Env(name), _) => writeln!(out, "  --> environment variable {name}")?,
            (Origin::Flag, _) => writeln!(out, "  --> command line")?,
            (Origin::Default | Origin::File(_), _) => writeln!(out, "  --> default")?,
        }
        match &mistake.hint {
            Some(hint) => writeln!(out, "   = {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.found {
            self.write(out, mistake)?;
            writeln!(out)?;
        }
        let name = self.source.as_ref().map_or("configuration", |source| &source.name);
        match self.found.len() {
            1 => write!(out, "{name}: 1 mistake"),
            many => write!(out, "{name}: {many} mistakes"),
        }
    }
}

// The derived one would print the file.
impl fmt::Debug for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl std::error::Error for Mistakes {}

fn write_excerpt(
    out: &mut fmt::Formatter<'_>,
    source: &Source,
    span: Span,
    hint: Option<&str>,
) -> fmt::Result {
    let (number, column) = source.position(span.start);
    let line = &source.lines[number - 1];
    let from = column - 1;
    let width = span.end.saturating_sub(span.start).min(line.len() - from).max(1);
    // A long line is cut so that the caret stays on the screen.
    let first = if line.len() > LINE_SHOWN { from.saturating_sub(LINE_SHOWN / 2) } else { 0 };
    let last = line.len().min(first + LINE_SHOWN);
    let shown: String =
        line[first..last].iter().map(|char| if char.is_control() { ' ' } else { *char }).collect();
    let carets = "^".repeat(width.min(last.saturating_sub(from).max(1)));
    let gutter = number.to_string();
    let blank = " ".repeat(gutter.len());
    writeln!(out, "{blank} --> {}", source.place(span))?;
    writeln!(out, "{blank}  |")?;
    writeln!(out, "{}", format!("{gutter}  | {shown}").trim_end())?;
    write!(out, "{blank}  | {}{carets}", " ".repeat(from - first))?;
    match hint {
        Some(hint) => writeln!(out, " {hint}"),
        None => writeln!(out),
    }
}

/// A user's word as it may stand in a sentence: short, and without control characters.
pub(crate) fn crop(word: &str) -> String {
    let mut shown: String =
        word.chars().take(WORD_SHOWN).map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect();
    if word.chars().nth(WORD_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
