//! The data that every contender must deliver: ten users and a hundred posts here; articles with the
//! people and companies behind them, readings and timetables in the modules below.
//!
//! Pure and fixed: the same text on every machine and in every run, so that answers can be compared
//! byte for byte and figures across commits. Bodies have the length of a short comment (about 110
//! bytes) and hold what real text holds: quotes, line breaks and characters beyond ASCII, because
//! escaping is a large part of what a list costs.

mod newsroom;
mod readings;
mod timetable;

pub use newsroom::{ARTICLES, articles, companies, people};
pub use readings::{READINGS, readings};
pub use timetable::{SEASONS, timetable};

use crate::wire::bench::{Post, User};

/// How many posts there are, and the limit that the questions ask for.
pub const POSTS: usize = 100;

const NAMES: [&str; 10] = [
    "Ada Lovelace",
    "Grace Hopper",
    "José Álvarez",
    "Katherine Johnson",
    "Łukasz Nowak",
    "Margaret Hamilton",
    "Yukihiro Matsumoto",
    "Zoë Müller",
    "Edsger Dijkstra",
    "Barbara Liskov",
];

const SENTENCES: [&str; 12] = [
    "The switch at the north yard froze again last night.",
    "We moved the 07:14 to platform 3 and nobody complained.",
    "She said \"it works on my track\" and went home.",
    "Please check the signal box before the weekend.",
    "Überraschend ruhig heute, trotz Schnee.",
    "Costs went up by 4 % since March.",
    "The new timetable is out; see page 12.",
    "Why is the line to Łódź always late?",
    "I measured it twice.",
    "Freight first, then passengers, then the maintenance crew with their yellow machine.",
    "Path C:\\yard\\map.txt is gone.",
    "Merci à tous pour hier soir !",
];

/// All users, in the order of their ids, 1 to 10.
pub fn users() -> Vec<User> {
    NAMES
        .iter()
        .zip(1..)
        .map(|(name, id)| User { id, name: (*name).to_owned(), email: format!("user{id}@yard.example") })
        .collect()
}

/// All posts, newest first, with ids from 1. Every user wrote ten of them.
pub fn posts() -> Vec<Post> {
    (1..).zip(0..POSTS).map(|(id, index)| post(id, index)).collect()
}

fn post(id: i64, index: usize) -> Post {
    // Steps of 5 and 7 visit all twelve sentences; neighbours differ in text and in length.
    let sentences = 1 + index % 4;
    let body: Vec<&str> =
        (0..sentences).map(|place| SENTENCES[(index * 5 + place * 7) % SENTENCES.len()]).collect();
    Post {
        id,
        title: format!("Note {id} from the yard"),
        body: body.join(if index.is_multiple_of(3) { "\n" } else { " " }),
        user_id: id * 3 % 10 + 1,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_hundred_posts_of_ten_users_have_bodies_like_short_comments() {
        let posts = posts();
        let authors: BTreeSet<i64> = posts.iter().map(|post| post.user_id).collect();
        let known: BTreeSet<i64> = users().iter().map(|user| user.id).collect();
        assert_eq!(posts.len(), POSTS);
        assert_eq!(authors.len(), 10);
        assert!(authors.is_subset(&known));

        let mean = posts.iter().map(|post| post.body.len()).sum::<usize>() / POSTS;
        assert!((90..130).contains(&mean), "mean length {mean}");
        assert!(posts.iter().any(|post| post.body.contains('"')));
        assert!(posts.iter().any(|post| post.body.contains('\n')));
        assert!(posts.iter().any(|post| !post.body.is_ascii()));
    }
}
