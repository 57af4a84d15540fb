//! Timetables: one large tree of lines, trips and stops, with lists in lists and values that may be
//! absent. Written as JSON one season has about 400 KB.
//!
//! Seasons differ in times and in where notes and changes stand, hardly in size.

use super::SENTENCES;
use crate::wire::bench::{Change, Line, Operator, Position, Station, Stop, Timetable, Trip};

/// How many seasons there are, with ids from 1.
pub const SEASONS: usize = 5;

const LINES: usize = 13;
const TRIPS: usize = 10;
const STOPS: usize = 19;

const STATIONS: [&str; 7] =
    ["North Yard", "Łódź Fabryczna", "Harbour", "Gare de l'Est", "Münster (Westf) Hbf", "Aarhus", "Old Mill"];
const REASONS: [&str; 3] = ["signal failure", "late \"inbound\" train", "Bauarbeiten südlich der Brücke"];

/// The timetable of one season, by its number from 1.
pub fn timetable(season: usize) -> Timetable {
    Timetable {
        id: i64::try_from(season).expect("there are five seasons"),
        season: format!("Season {season}"),
        lines: (0..LINES).map(|index| line(season, index)).collect(),
    }
}

fn line(season: usize, index: usize) -> Line {
    Line {
        name: format!("S {}", index + 1),
        operator: (index % 4 != 3).then(|| Operator {
            name: format!("Yard & Line {}", index % 3),
            phone: index.is_multiple_of(2).then(|| format!("+44 20 7946 0{:03}", index * 7)),
        }),
        trips: (0..TRIPS).map(|trip| self::trip(season, index * TRIPS + trip)).collect(),
    }
}

fn trip(season: usize, index: usize) -> Trip {
    let note = SENTENCES[(season + index) % SENTENCES.len()];
    Trip {
        number: i32::try_from(4_000 + index * 2).expect("numbers of trains have four digits"),
        headsign: STATIONS[(index + 3) % STATIONS.len()].to_owned(),
        note: (season + index).is_multiple_of(3).then(|| note.to_owned()),
        stops: (0..STOPS).map(|stop| self::stop(season + index * 11, stop)).collect(),
    }
}

fn stop(start: usize, index: usize) -> Stop {
    let minute = start * 17 + index * 6;
    let time = |minute: usize| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let place = start + index;
    // Whole numbers are avoided for the same reason as in readings.
    let degrees = |base: i32| f64::from(base + i32::try_from(place % 3_000).unwrap_or(0) * 10) / 10_000.0;
    Stop {
        arrival: time(minute),
        departure: time(minute + 1),
        platform: (!place.is_multiple_of(5)).then(|| format!("{}", place % 12 + 1)),
        station: Some(Station {
            name: STATIONS[place % STATIONS.len()].to_owned(),
            position: Some(Position { latitude: degrees(517_003), longitude: degrees(190_007) }),
        }),
        change: place.is_multiple_of(11).then(|| Change {
            minutes: i32::try_from(place % 13).unwrap_or(0),
            reason: place.is_multiple_of(2).then(|| REASONS[place % REASONS.len()].to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_everything_optional_is_there_and_some_is_not() {
        let both = |present: Vec<bool>| present.contains(&true) && present.contains(&false);
        for season in 1..=SEASONS {
            let lines = timetable(season).lines;
            assert!(both(lines.iter().map(|line| line.operator.is_some()).collect()));
            let trips: Vec<Trip> = lines.into_iter().flat_map(|line| line.trips).collect();
            assert!(both(trips.iter().map(|trip| trip.note.is_some()).collect()));
            let stops: Vec<Stop> = trips.into_iter().flat_map(|trip| trip.stops).collect();
            assert!(both(stops.iter().map(|stop| stop.platform.is_some()).collect()));
            assert!(both(stops.iter().map(|stop| stop.change.is_some()).collect()));
        }
    }
}
