//! Other registries in etcd: do the settings of each fit, do two of them fit each other, and what are they?
//!
//! `check` tells mistakes at the setting that makes the demand; `build` is total after it. A source whose
//! settings could not all be read is left out of what two sources are asked about.

use turnout_control::id::SourceName;
use turnout_control::layout::{Content, Field, Layout, Template, TemplateError};
use turnout_control::source::{Loopback, Source};

use super::kind::Value;
use super::mistake::Mistake;
use super::settings::SETTINGS;
use super::typed::{ClientCertificate, EtcdConfig, Login, SourceConfig, TlsConfig};
use super::values::{Effective, Values};

const SECTION: &str = "registry.sources";
const LAYOUT: &str = "registry.sources.*.layout";
const ENDPOINTS: &str = "registry.sources.*.endpoints";
const PREFIX: &str = "registry.sources.*.prefix";
const SERVICES: &str = "registry.sources.*.services";
const KEY: &str = "registry.sources.*.key";
const VALUE: &str = "registry.sources.*.value";
const FIELDS: &str = "registry.sources.*.fields";
const USERNAME: &str = "registry.sources.*.username";
const PASSWORD: &str = "registry.sources.*.password";
const CERT: &str = "registry.sources.*.tls.cert";
const KEY_FILE: &str = "registry.sources.*.tls.key";

/// The rank of a source that was given none.
const RANK: usize = 50;

/// The sources, the one that goes first at the front.
pub(super) fn build(values: &Values) -> Vec<SourceConfig> {
    let names = values.names(SECTION).into_iter();
    let mut ranked: Vec<(usize, SourceConfig)> = names.map(|name| one(values, name)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, source)| source).collect()
}

fn one(values: &Values, name: &str) -> (usize, SourceConfig) {
    let text = |path| get(values, path, name).and_then(Value::text);
    let path = |path| get(values, path, name).and_then(Value::path);
    let source = source(values, name).expect("the checks have passed");
    let endpoints = get(values, ENDPOINTS, name).and_then(Value::list).unwrap_or_default();
    let password = get(values, PASSWORD, name).and_then(Value::secret);
    let etcd = EtcdConfig {
        endpoints: endpoints.iter().filter_map(Value::url).collect(),
        prefix: source.prefix.clone(),
        tls: TlsConfig {
            ca: path("registry.sources.*.tls.ca"),
            client: path(CERT).zip(path(KEY_FILE)).map(|(cert, key)| ClientCertificate { cert, key }),
        },
        login: text(USERNAME).zip(password).map(|(username, password)| Login { username, password }),
    };
    let rank = get(values, "registry.sources.*.rank", name).and_then(Value::number).unwrap_or(RANK);
    (rank, SourceConfig { source, etcd })
}

/// Everything that can be wrong with sources.
pub(super) fn check(values: &Values, found: &mut Vec<Mistake>) {
    let mut whole = Vec::new();
    for name in values.names(SECTION) {
        let mut check = Check { values, name, found };
        check.alone();
        whole.extend(source(values, name));
    }
    apart(values, &whole, found);
}

/// The source of a name, when all that makes it could be read.
fn source(values: &Values, name: &str) -> Option<Source> {
    let layout = get(values, LAYOUT, name)?.choice()?;
    let template = match layout {
        "plain" => Some(template(values, name)?.ok()?),
        _ => None,
    };
    let layout = Layout::named(layout, template)?;
    let prefix = get(values, PREFIX, name).and_then(Value::text);
    let services = get(values, SERVICES, name).and_then(Value::list).unwrap_or_default();
    let loopback = get(values, "registry.sources.*.allow_loopback", name).and_then(Value::boolean);
    Some(Source {
        name: name.parse().ok()?,
        prefix: prefix.unwrap_or_else(|| layout.prefix().to_owned()),
        services: services.iter().filter_map(Value::text).filter_map(|text| text.parse().ok()).collect(),
        loopback: if loopback == Some(true) { Loopback::Taken } else { Loopback::Refused },
        layout,
    })
}

/// What the operator describes; `None` when there is no key.
fn template(values: &Values, name: &str) -> Option<Result<Template, TemplateError>> {
    let key = get(values, KEY, name)?.text()?;
    let fields = get(values, FIELDS, name).and_then(Value::list).unwrap_or_default();
    let content = match get(values, VALUE, name).and_then(Value::choice) {
        Some("json") => {
            let mut pointers = std::collections::BTreeMap::new();
            for text in fields.iter().filter_map(Value::text) {
                let (field, pointer) = text.split_once('=')?;
                let field: Field = field.parse().ok()?;
                if pointers.insert(field, pointer.to_owned()).is_some() {
                    return Some(Err(TemplateError::Twice(field)));
                }
            }
            Content::Json(pointers)
        }
        Some("none") => Content::Unread,
        _ => Content::Text,
    };
    Some(Template::new(&key, content))
}

fn get<'a>(values: &'a Values, path: &'static str, name: &str) -> Option<&'a Value> {
    values.named(path, name).map(|found| &found.value)
}

/// The settings of one source.
struct Check<'a> {
    values: &'a Values,
    name: &'a str,
    found: &'a mut Vec<Mistake>,
}

impl Check<'_> {
    fn alone(&mut self) {
        if self.name == SourceName::own().as_str() {
            let hint = "give it another name";
            self.tell(None, format!("`{SECTION}.{}` is the gateway's own registry", self.name), hint);
        }
        for path in [LAYOUT, ENDPOINTS] {
            self.demand(None, path);
        }
        for (given, needed) in
            [(USERNAME, PASSWORD), (PASSWORD, USERNAME), (CERT, KEY_FILE), (KEY_FILE, CERT)]
        {
            if self.given(given).is_some() {
                self.demand(Some(given), needed);
            }
        }
        match self.given(LAYOUT).and_then(|found| found.value.choice()) {
            Some("plain") => self.plain(),
            Some(_) => {
                for path in [KEY, VALUE, FIELDS] {
                    if self.given(path).is_some() {
                        let (path_shown, layout) = (self.shown(path), self.shown(LAYOUT));
                        let message = format!("`{path_shown}` has no meaning unless `{layout}` is `plain`");
                        self.tell(Some(path), message, &format!("set `{layout}: plain`, or remove it"));
                    }
                }
                self.root();
            }
            None => {}
        }
    }

    fn plain(&mut self) {
        self.demand(Some(LAYOUT), KEY);
        self.demand(Some(LAYOUT), PREFIX);
        if self.given(PREFIX).is_some_and(|found| found.value.text().as_deref() == Some("/")) {
            let message = format!("`{}` would take the whole of etcd", self.shown(PREFIX));
            self.tell(Some(PREFIX), message, "move the first piece of the key into the prefix");
        }
        let is_json = self.given(VALUE).and_then(|found| found.value.choice()) == Some("json");
        if is_json {
            self.demand(Some(VALUE), FIELDS);
        } else if self.given(FIELDS).is_some() && !self.values.is_broken(VALUE) {
            let message = format!("`{}` has no meaning unless values are JSON", self.shown(FIELDS));
            self.tell(Some(FIELDS), message, &format!("set `{}: json`, or remove it", self.shown(VALUE)));
        }
        let readable = ![KEY, VALUE, FIELDS].into_iter().any(|path| self.values.is_broken(path));
        if readable && let Some(Err(error)) = template(self.values, self.name) {
            let hint = "a key looks like `{service}/{id}`";
            self.tell(Some(KEY), format!("`{}`: {error}", self.shown(KEY)), hint);
        }
    }

    /// At the root of etcd is whatever anybody wrote: the operator says what of it is meant.
    fn root(&mut self) {
        let Some(source) = source(self.values, self.name) else { return };
        let is_root = matches!(source.prefix.as_str(), "" | "/") && !self.values.is_broken(PREFIX);
        if is_root && source.services.is_empty() && !self.values.is_broken(SERVICES) {
            let at = if self.given(PREFIX).is_some() { PREFIX } else { LAYOUT };
            let message = format!(
                "`{SECTION}.{}` has its keys at the root of etcd, so `{}` is needed",
                self.name,
                self.shown(SERVICES)
            );
            self.tell(Some(at), message, "name the services, or set a prefix");
        }
    }

    fn given(&self, path: &'static str) -> Option<&Effective> {
        self.values.named(path, self.name)
    }

    fn shown(&self, path: &str) -> String {
        path.replacen('*', self.name, 1)
    }

    /// One setting, or the source as a whole, needs another setting.
    fn demand(&mut self, by: Option<&'static str>, path: &'static str) {
        if !self.values.is_named_missing(path, self.name) {
            return;
        }
        let who = match by {
            Some(by) => self.shown(by),
            None => format!("{SECTION}.{}", self.name),
        };
        self.tell(by, format!("`{who}` needs `{}`", self.shown(path)), "");
    }

    fn tell(&mut self, at: Option<&'static str>, message: String, hint: &str) {
        let first = || SETTINGS.iter().find_map(|setting| self.values.named(setting.path, self.name));
        let Some(at) = at.and_then(|path| self.values.named(path, self.name)).or_else(first) else { return };
        let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
        self.found.push(Mistake { origin: at.origin.clone(), message, hint });
    }
}

/// No key may belong to two sources: its deletion would be told twice, and its service would be in doubt.
fn apart(values: &Values, sources: &[Source], found: &mut Vec<Mistake>) {
    let etcd_of = |source: &Source| {
        let list = get(values, ENDPOINTS, source.name.as_str()).and_then(Value::list).unwrap_or_default();
        list.iter().map(Value::to_string).collect::<Vec<_>>()
    };
    for (at, one) in sources.iter().enumerate() {
        let here = etcd_of(one);
        for other in &sources[..at] {
            let there = etcd_of(other);
            if !here.iter().any(|url| there.contains(url)) || !one.overlaps(other) {
                continue;
            }
            let place = [PREFIX, LAYOUT].into_iter().find_map(|path| values.named(path, one.name.as_str()));
            let Some(place) = place else { continue };
            let message = format!("the sources `{}` and `{}` may read the same keys", other.name, one.name);
            let hint = Some("set prefixes of which none begins with the other, or `services`".to_owned());
            found.push(Mistake { origin: place.origin.clone(), message, hint });
        }
    }
    own(values, sources, found);
}

/// The same for the gateway's own registry.
fn own(values: &Values, sources: &[Source], found: &mut Vec<Mistake>) {
    let Some(list) = values.given("registry.endpoints").and_then(|found| found.value.list()) else { return };
    let Some(root) = values.get("registry.prefix").and_then(|found| found.value.text()) else { return };
    let own: Vec<String> = list.iter().map(Value::to_string).collect();
    for source in sources {
        let name = source.name.as_str();
        let there = get(values, ENDPOINTS, name).and_then(Value::list).unwrap_or_default();
        if !there.iter().any(|url| own.contains(&url.to_string())) {
            continue;
        }
        let root = format!("{root}/");
        let meets = |scope: &String| scope.starts_with(&root) || root.starts_with(scope.as_str());
        let place = [PREFIX, LAYOUT].into_iter().find_map(|path| values.named(path, name));
        if let Some(place) = place.filter(|_| source.scopes().iter().any(meets)) {
            let message = format!("the source `{name}` would read the keys of the gateway's own registry");
            let hint = Some("set another prefix, or remove the source".to_owned());
            found.push(Mistake { origin: place.origin.clone(), message, hint });
        }
    }
}
