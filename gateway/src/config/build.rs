//! How do checked values become a `Config`?
//!
//! Total: every plain setting with a default is there, `cross.rs` has made sure of what one kind
//! demands, and the table says which kind of value stands where. An `expect` here means that the table
//! and this file disagree; the tests read every setting once.

use std::path::PathBuf;

use turnout_control::id::Name;
use turnout_control::rollout::Approval;
use turnout_control::source::Tls;

use super::kind::Value;
use super::sources;
use super::typed::{
    AdminConfig, AuthConfig, ClientCertificate, CohortUnit, Config, EtcdConfig, Expose, FrontendTrust,
    FrontendsConfig, HeadersConfig, HttpConfig, IdentityConfig, JwtConfig, LedgerConfig, LedgerKind,
    LimitsConfig, LogFormat, Login, OnNewVersion, RegistryConfig, RegistryKind, RolloutsConfig, SchemaPolicy,
    ServiceConfig, StatusProfile, TelemetryConfig, TlsConfig, UpstreamConfig,
};
use super::values::Values;

/// Builds it.
pub(super) fn build(values: &Values) -> Config {
    let services =
        values.names("services").into_iter().map(|name| (checked_name(name), service(values, name)));
    Config {
        listen: get(values, "listen", Value::address),
        admin: AdminConfig {
            listen: get(values, "admin.listen", Value::address),
            tokens_file: optional(values, "admin.tokens.file", Value::path),
        },
        data: get(values, "data", Value::path),
        registry: registry(values),
        upstream: UpstreamConfig {
            tls: tls(values, ["upstream.tls.ca", "upstream.tls.cert", "upstream.tls.key"]),
        },
        ledger: LedgerConfig { kind: ledger(values) },
        frontends: frontends(values),
        rollouts: rollouts(values),
        services: services.collect(),
        any_service: service(values, ""),
        auth: AuthConfig { jwt: jwt(values) },
        identity: IdentityConfig {
            trust_unit_header: get(values, "identity.trust_unit_header", Value::boolean),
        },
        http: http(values),
        limits: limits(values),
        headers: HeadersConfig { forward: list(values, "headers.forward", Value::header) },
        expose_lineup: get(values, "expose_lineup", Value::boolean),
        telemetry: TelemetryConfig {
            logs: pick(
                get(values, "telemetry.logs", Value::choice),
                &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)],
            ),
        },
        fixed: values.fixed(),
    }
}

fn tls(values: &Values, [ca, cert, key]: [&'static str; 3]) -> TlsConfig {
    TlsConfig {
        ca: optional(values, ca, Value::path),
        client: optional(values, cert, Value::path)
            .zip(optional(values, key, Value::path))
            .map(|(cert, key)| ClientCertificate { cert, key }),
    }
}

fn registry(values: &Values) -> RegistryConfig {
    let kind = match get(values, "registry.kind", Value::choice) {
        "etcd" => RegistryKind::Etcd(EtcdConfig {
            endpoints: list(values, "registry.endpoints", Value::url),
            prefix: get(values, "registry.prefix", Value::text),
            tls: tls(values, ["registry.tls.ca", "registry.tls.cert", "registry.tls.key"]),
            login: optional(values, "registry.username", Value::text)
                .zip(optional(values, "registry.password", Value::secret))
                .map(|(username, password)| Login { username, password }),
        }),
        _ => RegistryKind::Embedded,
    };
    RegistryConfig {
        kind,
        allow_cidrs: list(values, "registry.allow_cidrs", Value::cidr),
        ttl: get(values, "registry.ttl", Value::duration),
        grace: get(values, "registry.grace", Value::duration),
        sources: sources::build(values),
    }
}

fn ledger(values: &Values) -> LedgerKind {
    match get(values, "ledger.kind", Value::choice) {
        "postgres" => LedgerKind::Postgres { url: get(values, "ledger.url", Value::secret) },
        _ => LedgerKind::Embedded,
    }
}

fn frontends(values: &Values) -> FrontendsConfig {
    let key_file: Option<PathBuf> = optional(values, "frontends.key_file", Value::path);
    FrontendsConfig {
        dir: get(values, "frontends.dir", Value::path),
        default: optional(values, "frontends.default", Value::text).map(|name| checked_name(&name)),
        trust: match get(values, "frontends.trust", Value::choice) {
            "signed" => FrontendTrust::Signed { key_file: get(values, "frontends.key_file", Value::path) },
            _ => FrontendTrust::Claims { key_file },
        },
    }
}

fn rollouts(values: &Values) -> RolloutsConfig {
    let number = |path| get(values, path, Value::number);
    let small = |path| u32::try_from(number(path)).unwrap_or(u32::MAX);
    RolloutsConfig {
        steps: list(values, "rollouts.steps", Value::share),
        dwell: get(values, "rollouts.dwell", Value::duration),
        dwell_max: get(values, "rollouts.dwell_max", Value::duration),
        excess_failures: u64::try_from(number("rollouts.excess_failures")).unwrap_or(u64::MAX),
        warmup: get(values, "rollouts.warmup", Value::duration),
        tick: get(values, "rollouts.tick", Value::duration),
        concurrent: small("rollouts.concurrent"),
        instances_min: small("rollouts.instances_min"),
    }
}

/// What `services.NAME` says, and else what holds for all. No service has the empty name.
fn service(values: &Values, name: &str) -> ServiceConfig {
    let named = |path| values.named(path, name).map(|found| &found.value);
    let choice = |path| named(path).and_then(Value::choice);
    ServiceConfig {
        timeout: named("services.*.timeout").and_then(Value::duration),
        expose: pick(
            choice("services.*.expose").unwrap_or_else(|| get(values, "expose", Value::choice)),
            &[("annotated", Expose::Annotated), ("all", Expose::All)],
        ),
        on_new_version: pick(
            choice("services.*.on_new_version")
                .unwrap_or_else(|| get(values, "on_new_version", Value::choice)),
            &[("rollout", OnNewVersion::Rollout), ("hold", OnNewVersion::Hold)],
        ),
        approval: pick(
            choice("services.*.approval").unwrap_or_else(|| get(values, "rollouts.approval", Value::choice)),
            &[("evidence", Approval::Evidence), ("operator", Approval::Operator)],
        ),
        cohort_unit: pick(
            choice("services.*.cohort_unit").unwrap_or("user"),
            &[("user", CohortUnit::User), ("customer", CohortUnit::Customer)],
        ),
        version: named("services.*.version")
            .and_then(Value::text)
            .map(|text| text.parse().expect("checked when it was read")),
        tls: match named("services.*.tls").and_then(Value::boolean) {
            Some(true) => Tls::Always,
            Some(false) | None => Tls::AsRegistered,
        },
        schema: named("services.*.schema").map_or(SchemaPolicy::Reflection, schema),
    }
}

fn schema(value: &Value) -> SchemaPolicy {
    match (value.path(), value.text().as_deref()) {
        (Some(path), _) => SchemaPolicy::Path(path),
        (None, Some("off")) => SchemaPolicy::Off,
        (None, Some("reflection") | None) => SchemaPolicy::Reflection,
        (None, Some(digest)) => SchemaPolicy::Digest(digest.parse().expect("checked when it was read")),
    }
}

fn jwt(values: &Values) -> Option<JwtConfig> {
    Some(JwtConfig {
        issuer: optional(values, "auth.jwt.issuer", Value::text)?,
        audience: optional(values, "auth.jwt.audience", Value::text),
        jwks_url: optional(values, "auth.jwt.jwks_url", Value::url)?,
        customer_claim: optional(values, "auth.jwt.customer_claim", Value::text),
        segments_claim: optional(values, "auth.jwt.segments_claim", Value::text),
        required: get(values, "auth.jwt.required", Value::boolean),
    })
}

fn http(values: &Values) -> HttpConfig {
    HttpConfig {
        status: pick(
            get(values, "http.status", Value::choice),
            &[
                ("rails", StatusProfile::Rails),
                ("compat", StatusProfile::Compat),
                ("draft", StatusProfile::Draft),
            ],
        ),
        cors_origins: list(values, "http.cors.origins", Value::origin),
        csrf: get(values, "http.csrf", Value::boolean),
        batch_max: get(values, "http.batch_max", Value::number),
        playground: get(values, "http.playground", Value::boolean),
    }
}

fn limits(values: &Values) -> LimitsConfig {
    LimitsConfig {
        body_bytes: get(values, "limits.body", Value::number),
        tokens: get(values, "limits.tokens", Value::number),
        depth: get(values, "limits.depth", Value::number),
        selections: get(values, "limits.selections", Value::number),
        aliases: get(values, "limits.aliases", Value::number),
        directives: get(values, "limits.directives", Value::number),
        deadline: get(values, "limits.deadline", Value::duration),
    }
}

fn get<T>(values: &Values, path: &'static str, kind: impl Fn(&Value) -> Option<T>) -> T {
    optional(values, path, kind).expect("a default, or a check that demands it")
}

fn optional<T>(values: &Values, path: &'static str, kind: impl Fn(&Value) -> Option<T>) -> Option<T> {
    values.get(path).map(|found| kind(&found.value).expect("the kind that the table names"))
}

fn list<T>(values: &Values, path: &'static str, kind: impl Fn(&Value) -> Option<T>) -> Vec<T> {
    let items = values.get(path).and_then(|found| found.value.list()).unwrap_or_default();
    items.iter().map(|item| kind(item).expect("the kind that the table names")).collect()
}

fn pick<T: Copy>(name: &str, choices: &[(&str, T)]) -> T {
    let found = choices.iter().find(|(known, _)| *known == name);
    found.expect("the choices that the table names").1
}

fn checked_name<Kind>(text: &str) -> Name<Kind> {
    text.parse().expect("checked when it was read")
}
