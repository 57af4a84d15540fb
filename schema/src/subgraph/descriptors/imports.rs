//! Whether the imports of some files can be followed without harm.
//!
//! The pool follows public imports by recursion and without memory. A file that imports itself, 10 bytes in
//! all, overflows its stack, which ends the process; an import that is listed three times triples the work
//! with every file on the way. No compiler writes such files, so they are refused before the pool sees
//! them. Imports of unknown files are left to the pool, which names them.

use std::collections::{BTreeMap, BTreeSet};

use super::Head;

/// Public imports of public imports: real ones stop at three or four.
const DEPTH_MAX: usize = 100;

/// Steps of the pool through public imports. A set of 1 000 files with 30 imports each needs 30 000.
const STEPS_MAX: usize = 1_000_000;

/// How far public imports lead from a file.
#[derive(Clone, Copy, Default)]
struct Reach {
    depth: usize,
    steps: usize,
}

/// Checks the imports of a set; the error is a sentence.
pub(super) fn check(files: &[Head]) -> Result<(), String> {
    let places: BTreeMap<&str, usize> =
        files.iter().enumerate().map(|(place, file)| (file.name(), place)).collect();
    let mut imports = Vec::new();
    for file in files {
        let mut seen = BTreeSet::new();
        if let Some(twice) = file.dependency.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(format!("the file {:?} imports {:?} twice", short(file.name()), short(twice)));
        }
        let place = |name: &String| places.get(name.as_str()).copied();
        imports.push(file.dependency.iter().map(place).collect::<Vec<_>>());
    }
    follow(files, &imports)
}

/// A file is looked at after those it imports, and so each only once.
fn follow(files: &[Head], imports: &[Vec<Option<usize>>]) -> Result<(), String> {
    let mut waiting: Vec<usize> = imports.iter().map(|imports| imports.iter().flatten().count()).collect();
    let mut users = vec![Vec::new(); files.len()];
    for (user, imports) in imports.iter().enumerate() {
        imports.iter().flatten().for_each(|import| users[*import].push(user));
    }
    let mut ready: Vec<usize> = (0..files.len()).filter(|place| waiting[*place] == 0).collect();
    let mut reaches = vec![Reach::default(); files.len()];
    let mut steps = 0usize;
    while let Some(place) = ready.pop() {
        let reach = reach(&files[place], &imports[place], &reaches);
        reaches[place] = reach;
        let found = imports[place].iter().flatten();
        steps = found.fold(steps, |steps, import| steps.saturating_add(reaches[*import].steps));
        if reach.depth > DEPTH_MAX || steps > STEPS_MAX {
            return Err(format!("the public imports of {:?} lead too far", short(files[place].name())));
        }
        for user in &users[place] {
            waiting[*user] -= 1;
            if waiting[*user] == 0 {
                ready.push(*user);
            }
        }
    }
    match waiting.iter().position(|count| *count > 0) {
        None => Ok(()),
        Some(place) => Err(format!("the imports of {:?} lead in a circle", short(files[place].name()))),
    }
}

fn reach(file: &Head, imports: &[Option<usize>], reaches: &[Reach]) -> Reach {
    let public: BTreeSet<usize> =
        file.public_dependency.iter().filter_map(|index| usize::try_from(*index).ok()).collect();
    let mut reach = Reach { depth: 1, steps: 1 };
    for import in public.iter().filter_map(|index| imports.get(*index).copied().flatten()) {
        reach.depth = reach.depth.max(reaches[import].depth.saturating_add(1));
        reach.steps = reach.steps.saturating_add(reaches[import].steps);
    }
    reach
}

/// Enough of a name to find it.
fn short(name: &str) -> String {
    name.chars().take(64).collect()
}
