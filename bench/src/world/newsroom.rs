//! Articles, each by an author and an editor who work for companies: the join over three services.
//!
//! Authors and editors overlap, and so do their companies: an engine that loads an entity once for both
//! branches asks for 24 people and 6 companies, another for more.

use super::SENTENCES;
use crate::wire::bench::Article;
use crate::wire::people::Person;
use crate::wire::places::Company;

/// How many articles there are, and the limit that the question asks for.
pub const ARTICLES: usize = 50;

const FIRST_NAMES: [&str; 8] = ["Ana", "Bo", "Chiara", "Dmitri", "Élodie", "Fatou", "Göran", "Hana"];
const LAST_NAMES: [&str; 3] = ["Ørsted", "O'Brien", "Nakamura"];
const COMPANIES: [(&str, &str); 6] = [
    ("Northern Yard Press", "United Kingdom"),
    ("Gleis & Weiche GmbH", "Deutschland"),
    ("La Gazette \"du Rail\"", "France"),
    ("Kolejowy Świat", "Polska"),
    ("Switchpoint Media", "Canada"),
    ("鉄道新聞社", "日本"),
];

/// All companies, in the order of their ids, 1 to 6.
pub fn companies() -> Vec<Company> {
    let company = |(id, (name, country)): (i64, &(&str, &str))| Company {
        id,
        name: (*name).to_owned(),
        country: (*country).to_owned(),
    };
    (1..).zip(&COMPANIES).map(company).collect()
}

/// All people, in the order of their ids, 1 to 24. Four work for each company.
pub fn people() -> Vec<Person> {
    let names = LAST_NAMES.iter().flat_map(|last| FIRST_NAMES.iter().map(move |first| (first, last)));
    (1..)
        .zip(names)
        .map(|(id, (first, last))| Person { id, name: format!("{first} {last}"), company_id: id % 6 + 1 })
        .collect()
}

/// All articles, newest first, with ids from 1. Everybody is an author or an editor of some.
pub fn articles() -> Vec<Article> {
    let article = |(id, index): (i64, usize)| Article {
        id,
        title: SENTENCES[index * 5 % SENTENCES.len()].to_owned(),
        author_id: id * 5 % 16 + 1,
        editor_id: id * 7 % 16 + 9,
    };
    (1..).zip(0..ARTICLES).map(article).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn authors_and_editors_overlap_and_everyone_is_known() {
        let authors: BTreeSet<i64> = articles().iter().map(|article| article.author_id).collect();
        let editors: BTreeSet<i64> = articles().iter().map(|article| article.editor_id).collect();
        let known: BTreeSet<i64> = people().iter().map(|person| person.id).collect();
        assert_eq!(authors.union(&editors).copied().collect::<BTreeSet<_>>(), known);
        assert_eq!(authors.intersection(&editors).count(), 8);

        let employers: BTreeSet<i64> = people().iter().map(|person| person.company_id).collect();
        assert_eq!(employers, companies().iter().map(|company| company.id).collect());
    }
}
