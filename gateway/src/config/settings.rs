//! Which settings are there?
//!
//! One table. Reading, defaults, `config init`, `config schema`, `config show` and
//! `docs/configuration.md` all come from it, so a setting is added here and in `typed.rs`, and nowhere
//! else. A `*` in a path stands for a name the user chooses. What one setting demands of another is in
//! `cross.rs`.

use std::time::Duration;

use super::kind::Kind;

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// `limits.depth`, `services.*.timeout`.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    pub(super) fallback: Fallback,
    pub(super) change: Change,
    /// One sentence.
    pub(super) help: &'static str,
}

/// What holds when nobody sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    /// This value, written as a user would.
    Value(&'static str),
    /// Nothing; the example shows what could stand there.
    Unset { example: &'static str },
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Reload,
    Restart,
}

impl Setting {
    const fn new(path: &'static str, kind: Kind, default: &'static str) -> Setting {
        Setting { path, kind, fallback: Fallback::Value(default), change: Change::Reload, help: "" }
    }

    const fn unset(path: &'static str, kind: Kind, example: &'static str) -> Setting {
        Setting { path, kind, fallback: Fallback::Unset { example }, change: Change::Reload, help: "" }
    }

    const fn help(mut self, help: &'static str) -> Setting {
        self.help = help;
        self
    }

    const fn restart(mut self) -> Setting {
        self.change = Change::Restart;
        self
    }

    /// The last word of the path.
    pub(super) fn word(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The text after `path:` in an example: the default, or what could stand there.
    pub(super) fn sample(&self) -> &'static str {
        match self.fallback {
            Fallback::Value(text) | Fallback::Unset { example: text } => text,
        }
    }
}

/// The setting at `path`, with `*` for a chosen name.
pub(super) fn find(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

/// The words that may follow `section` (empty: the top), in the order of the table.
pub(super) fn words_in(section: &str) -> Vec<&'static str> {
    let mut words = Vec::new();
    for setting in SETTINGS {
        let below = match section {
            "" => Some(setting.path),
            _ => setting.path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(word) = below.and_then(|rest| rest.split('.').next()) else { continue };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

const fn seconds(least: u64, most: u64) -> Kind {
    Kind::Duration { least: Duration::from_secs(least), most: Duration::from_secs(most) }
}

const fn count(least: u64, most: u64) -> Kind {
    Kind::Integer { least, most }
}

const LAYOUTS: &[&str] =
    &["native", "kitex-etcd", "kratos-etcd", "gozero", "gomicro-etcd", "grpc-naming", "todolist", "plain"];
const EXPOSE: Kind = Kind::Choice(&["annotated", "all"]);
const ON_NEW_VERSION: Kind = Kind::Choice(&["rollout", "hold"]);
const APPROVAL: Kind = Kind::Choice(&["evidence", "operator"]);
const DWELL: Kind = seconds(1, 30 * 24 * 3600);
const OPERATION: Kind = Kind::Duration { least: Duration::from_millis(10), most: Duration::from_secs(600) };
/// Loopback and the private networks.
const NEAR_NETWORKS: &str = "127.0.0.0/8, ::1/128, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7";
const BODY: Kind = Kind::Size { least: 1024, most: 64 * 1024 * 1024 };

/// Every setting, in the order in which files and pages show them.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("listen", Kind::Address, "127.0.0.1:4000")
        .help("Address of the public listener: GraphQL, playground, pages.")
        .restart(),
    Setting::new("admin.listen", Kind::Address, "127.0.0.1:4001")
        .help("Address of the admin listener: dashboard, ops API, registration, metrics.")
        .restart(),
    Setting::unset("admin.tokens.file", Kind::Path, "tokens.yaml")
        .help("Tokens of the admin listener, with their roles. Needed outside loopback.")
        .restart(),
    Setting::new("data", Kind::Path, "./turnout-data")
        .help("Directory for what the gateway itself keeps.")
        .restart(),
    Setting::new("registry.kind", Kind::Choice(&["embedded", "etcd"]), "embedded")
        .help("Where registrations live: in the data directory, or in etcd.")
        .restart(),
    Setting::new("registry.allow_cidrs", Kind::List(&Kind::Cidr), NEAR_NETWORKS)
        .help("Networks in which an instance may have its address."),
    Setting::new("registry.ttl", seconds(5, 300), "15s")
        .help("How long a registration lasts without a heartbeat, unless it says so itself."),
    Setting::new("registry.grace", seconds(0, 600), "15s")
        .help("After a start of the registry, how long no registration expires.")
        .restart(),
    Setting::unset("registry.endpoints", Kind::List(&Kind::HttpUrl), "http://127.0.0.1:2379")
        .help("etcd: its client URLs.")
        .restart(),
    Setting::new("registry.prefix", Kind::KeyPrefix, "/turnout/v1")
        .help("etcd: the prefix of all keys.")
        .restart(),
    Setting::unset("registry.tls.ca", Kind::Path, "etcd-ca.pem")
        .help("etcd: the authority that signed its certificate.")
        .restart(),
    Setting::unset("registry.tls.cert", Kind::Path, "etcd-client.pem")
        .help("etcd: the client certificate.")
        .restart(),
    Setting::unset("registry.tls.key", Kind::Path, "etcd-client.key")
        .help("etcd: the key of the client certificate.")
        .restart(),
    Setting::unset("registry.username", Kind::Text, "turnout").help("etcd: the user to log in as.").restart(),
    Setting::unset("registry.password", Kind::Secret, "${ETCD_PASSWORD:-secret}")
        .help("etcd: the password of that user.")
        .restart(),
    Setting::unset("registry.sources.*.layout", Kind::Choice(LAYOUTS), "kratos-etcd")
        .help("How the entries of another registry in etcd are written.")
        .restart(),
    Setting::unset("registry.sources.*.endpoints", Kind::List(&Kind::HttpUrl), "http://127.0.0.1:2379")
        .help("The client URLs of its etcd.")
        .restart(),
    Setting::unset("registry.sources.*.prefix", Kind::SourcePrefix, "/microservices")
        .help("What its keys begin with. The usual prefix of the layout when not set.")
        .restart(),
    Setting::unset("registry.sources.*.services", Kind::List(&Kind::Name), "cart, user")
        .help("The services that are taken from it; all when not set. Needed at the root of etcd.")
        .restart(),
    Setting::unset("registry.sources.*.rank", count(1, 100), "50")
        .help("Of two sources with the same instance, the one of the lower rank counts. 50 when not set.")
        .restart(),
    Setting::unset("registry.sources.*.allow_loopback", Kind::Boolean, "false")
        .help("Take addresses of this machine from it. For everything on one machine.")
        .restart(),
    Setting::unset("registry.sources.*.username", Kind::Text, "turnout")
        .help("The user to log in as.")
        .restart(),
    Setting::unset("registry.sources.*.password", Kind::Secret, "${SOURCE_PASSWORD:-secret}")
        .help("The password of that user.")
        .restart(),
    Setting::unset("registry.sources.*.tls.ca", Kind::Path, "etcd-ca.pem")
        .help("The authority that signed its certificate.")
        .restart(),
    Setting::unset("registry.sources.*.tls.cert", Kind::Path, "etcd-client.pem")
        .help("The client certificate.")
        .restart(),
    Setting::unset("registry.sources.*.tls.key", Kind::Path, "etcd-client.key")
        .help("The key of the client certificate.")
        .restart(),
    Setting::unset("registry.sources.*.key", Kind::Text, "{service}/{id}")
        .help("Layout `plain`: the pieces of a key below the prefix, texts and fields in braces.")
        .restart(),
    Setting::unset("registry.sources.*.value", Kind::Choice(&["text", "json", "none"]), "json")
        .help("Layout `plain`: what values are: an address, JSON, or not looked at. `text` when not set.")
        .restart(),
    Setting::unset("registry.sources.*.fields", Kind::List(&Kind::Pointer), "address=/addr, version=/version")
        .help("Layout `plain`, JSON: where in a value (RFC 6901) each field is.")
        .restart(),
    Setting::unset("upstream.tls.ca", Kind::Path, "services-ca.pem")
        .help("The authority that signed the certificates of services that are registered as `grpcs`.")
        .restart(),
    Setting::unset("upstream.tls.cert", Kind::Path, "gateway.pem")
        .help("The certificate that is shown to services.")
        .restart(),
    Setting::unset("upstream.tls.key", Kind::Path, "gateway.key")
        .help("The key of that certificate.")
        .restart(),
    Setting::new("ledger.kind", Kind::Choice(&["embedded", "postgres"]), "embedded")
        .help("Where usage is counted: in the data directory, or in PostgreSQL.")
        .restart(),
    Setting::unset("ledger.url", Kind::PostgresUrl, "${DATABASE_URL:-postgres://turnout@127.0.0.1/turnout}")
        .help("PostgreSQL: the connection URL.")
        .restart(),
    Setting::new("frontends.dir", Kind::Path, "frontend-versions")
        .help("Directory with the published frontend versions.")
        .restart(),
    Setting::unset("frontends.default", Kind::Name, "web")
        .help("The app whose assignment rules hold for a caller that names no frontend."),
    Setting::new("frontends.trust", Kind::Choice(&["claims", "signed"]), "claims")
        .help("Whether a bare header may choose an active frontend version, or only a signed token."),
    Setting::unset("frontends.key_file", Kind::Path, "frontend.key")
        .help("The keys that sign frontend tokens and cookies, one a line. Needed by `trust: signed`, and wherever several gateways serve one page. `frontend.key` in `data` when not set.")
        .restart(),
    Setting::new("expose", EXPOSE, "annotated")
        .help("What of a service is public: what its options say, or everything."),
    Setting::new("on_new_version", ON_NEW_VERSION, "rollout")
        .help("What a new minor version does: start a rollout, or wait for an operator."),
    Setting::new("rollouts.steps", Kind::List(&Kind::Share), "1%, 5%, 20%, 50%")
        .help("How many get a new version, step by step; after the last one it is stable. The first step is larger where there are too few calls to prove anything, up to 20%."),
    Setting::new("rollouts.dwell", DWELL, "10m").help("How long a rollout stays at a step at least."),
    Setting::new("rollouts.dwell_max", DWELL, "2h")
        .help("After how long at a step without proof a rollout waits for an operator."),
    Setting::new("rollouts.approval", APPROVAL, "evidence")
        .help("What it takes to leave a step: evidence, or an operator's approval too."),
    Setting::new("rollouts.excess_failures", count(1, 1_000_000_000), "500")
        .help("Failures beyond those of the stable version after which a rollout goes back without more proof."),
    Setting::new("rollouts.warmup", seconds(0, 3600), "60s")
        .help("How long an instance of a new version is registered before it gets calls in a rollout."),
    Setting::new("rollouts.tick", seconds(1, 60), "10s")
        .help("How often the gateway that leads looks at the evidence."),
    Setting::new("rollouts.concurrent", count(1, 1000), "2")
        .help("How many rollouts one frontend may see at once; others wait."),
    Setting::new("rollouts.instances_min", count(1, 10_000), "1")
        .help("How many warm instances a new version needs to leave a step."),
    Setting::unset("services.*.timeout", OPERATION, "2s")
        .help("Deadline of one call. Without it, a call has what the operation has left."),
    Setting::unset("services.*.expose", EXPOSE, "all").help("`expose` for this service."),
    Setting::unset("services.*.on_new_version", ON_NEW_VERSION, "hold")
        .help("`on_new_version` for this service."),
    Setting::unset("services.*.approval", APPROVAL, "operator")
        .help("`rollouts.approval` for this service."),
    Setting::unset("services.*.cohort_unit", Kind::Choice(&["user", "customer"]), "user")
        .help("Who moves as one in a rollout of this service. `user` when not set."),
    Setting::unset("services.*.version", Kind::Version, "1.0.0")
        .help("The version of instances in `registry.sources` that state none."),
    Setting::unset("services.*.tls", Kind::Boolean, "true")
        .help("Speak TLS with its instances in `registry.sources`, whatever they registered. `false` when not set."),
    Setting::unset("services.*.protocol", Kind::Choice(&["grpc"]), "grpc")
        .help("What its instances in `registry.sources` speak. `grpc` when not set."),
    Setting::unset("services.*.schema", Kind::Schema, "protos/orders.binpb")
        .help("Descriptors of versions that bring none: a descriptor set, a directory with a `VERSION.binpb` for each version, a stored digest, or `off`. `reflection` when not set."),
    Setting::unset("auth.jwt.issuer", Kind::Text, "https://login.example.com/")
        .help("The `iss` that a caller's token must carry."),
    Setting::unset("auth.jwt.audience", Kind::Text, "turnout")
        .help("The `aud` that a caller's token must carry."),
    Setting::unset("auth.jwt.jwks_url", Kind::HttpUrl, "https://login.example.com/jwks.json")
        .help("Where the keys that sign callers' tokens are published."),
    Setting::unset("auth.jwt.customer_claim", Kind::Text, "org_id")
        .help("The claim of a caller's token that names its customer."),
    Setting::unset("auth.jwt.segments_claim", Kind::Text, "segments")
        .help("The claim that has the segments of that customer: a list, or a text with spaces between."),
    Setting::new("auth.jwt.required", Kind::Boolean, "false").help("Refuse callers without a valid token."),
    Setting::new("identity.trust_unit_header", Kind::Boolean, "false")
        .help("Believe `x-turnout-unit`, `x-turnout-customer` and `x-turnout-segments`. Only behind an edge that sets them."),
    Setting::new("http.status", Kind::Choice(&["rails", "compat", "draft"]), "compat")
        .help("Status codes: always 200, what clients cope with, or the draft by the letter."),
    Setting::new("http.cors.origins", Kind::List(&Kind::Origin), "")
        .help("Origins whose pages may call from a browser; `*` for any."),
    Setting::new("http.csrf", Kind::Boolean, "true")
        .help("Refuse requests that a foreign page could send without a preflight."),
    Setting::new("http.batch_max", count(0, 100), "10")
        .help("Operations in one array request; 0 refuses arrays."),
    Setting::new("http.playground", Kind::Boolean, "false").help("Serve the playground at `/`."),
    Setting::new("limits.body", BODY, "1MiB").help("Size of a request body."),
    Setting::new("limits.tokens", count(1, 100_000), "2000").help("Tokens of a document."),
    Setting::new("limits.depth", count(1, 50), "15").help("Depth of a document, fragments expanded."),
    Setting::new("limits.selections", count(1, 100_000), "1000")
        .help("Selections of a document, fragments expanded."),
    Setting::new("limits.aliases", count(0, 100_000), "60")
        .help("Aliases of a document, fragments expanded."),
    Setting::new("limits.directives", count(0, 10_000), "20")
        .help("Directives of a document, fragments expanded."),
    Setting::new("limits.deadline", OPERATION, "10s")
        .help("Time an operation may take. A caller may ask for less."),
    Setting::new(
        "headers.forward",
        Kind::List(&Kind::Header),
        "authorization, accept-language, x-request-id",
    )
    .help("Request headers that are passed on to services as metadata."),
    Setting::new("expose_lineup", Kind::Boolean, "false")
        .help("Name the versions that answered in the response headers."),
    Setting::new("telemetry.logs", Kind::Choice(&["auto", "text", "json"]), "auto")
        .help("Format of the log. `auto`: text on a terminal, JSON elsewhere.")
        .restart(),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_default_and_every_example_is_a_value_of_its_kind() {
        let env = std::collections::BTreeMap::new();
        for setting in SETTINGS {
            let text = super::super::expand::expand(setting.sample(), &env).unwrap();
            setting.kind.parse(&text).unwrap_or_else(|complaint| panic!("{}: {complaint:?}", setting.path));
        }
    }

    #[test]
    fn every_setting_is_explained_in_sentences() {
        for setting in SETTINGS {
            assert!(setting.help.ends_with('.') && !setting.help.contains('|'), "{}", setting.path);
        }
    }

    #[test]
    fn a_path_stands_once_and_is_never_also_a_section() {
        let paths: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.path).collect();
        assert_eq!(paths.len(), SETTINGS.len());
        for path in &paths {
            assert!(words_in(path).is_empty(), "{path} is a setting and a section");
        }
    }

    #[test]
    fn settings_of_one_section_stand_together() {
        let mut closed = BTreeSet::new();
        let mut last = "";
        for setting in SETTINGS {
            let top = setting.path.split('.').next().unwrap();
            if top != last {
                assert!(closed.insert(top), "{top} is opened twice");
                last = top;
            }
        }
    }
}
