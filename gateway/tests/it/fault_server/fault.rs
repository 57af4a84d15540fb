//! Which faults are there, and where in the stack does each one happen?
//!
//! A fault belongs to the lowest layer that it breaks: the socket, the frames of HTTP/2, or the answer of an
//! RPC inside of a well-behaved connection. Its name is its variant's, and everything else is named after
//! that: the service, the RPCs, the root fields. What a gateway should make of a fault is not said here.

/// One way to misbehave. A few are no faults, to show that good services are not harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// Before or instead of HTTP/2.
    Socket(Socket),
    /// HTTP/2 that no library would send.
    Frames(Frames),
    /// In an answer.
    Answer(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Socket {
    /// The port is taken, and nobody listens.
    Refused,
    /// Closes what it accepted.
    AcceptClose,
    /// Accepts, and neither reads nor writes.
    AcceptHang,
    /// Speaks TLS where plain text is expected.
    TlsToPlain,
    /// Speaks plain text where TLS is expected.
    PlainToTls,
    /// Reads all and never sends its settings.
    SettingsHang,
    /// Settings of an impossible length.
    SettingsGarbage,
    /// Answers the preface as a server of HTTP/1 would.
    Http1Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Frames {
    /// GOAWAY that includes the call, then the end.
    GoawayNow,
    /// GOAWAY without an error that includes no call.
    GoawayRefuse,
    /// Resets the connection after a call came.
    TcpRst,
    /// Closes the connection in the middle of a message.
    TcpCloseMid,
    /// A list of headers without end.
    HeaderFlood,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// Healthy.
    Ok,
    /// Healthy, after [`super::script::SLOW`].
    Slow,
    /// Healthy, and later than anybody waits.
    Asleep,
    /// Every other call fails with UNAVAILABLE, the first one too.
    Flaky,
    /// Healthy and not fast, with one call at a time on a connection.
    MaxStreams1,
    /// Healthy, and leaves after each answer.
    GoawayGraceful,
    RstRefused,
    RstInternal,
    RstCancel,
    RstEnhanceCalm,
    RstAfterHeaders,
    RstAfterHalfMessage,
    /// Headers, then nothing.
    HeadersHang,
    /// Half a message, then nothing.
    HalfMessage,
    /// One byte in [`super::script::DRIP`].
    SlowDrip,
    /// No room for even the first byte of a request.
    FlowStall,
    Http404,
    Http503,
    Http401,
    Http429,
    Redirect302,
    ContentTypeHtml,
    ContentTypeJson,
    ContentTypeMissing,
    TrailersOnlyInternal,
    TrailersOnlyOk,
    /// The stream ends with the message.
    NoTrailers,
    TrailersWithoutStatus,
    StatusGarbage,
    Status999,
    /// A text with line breaks, markup, a zero, a password and broken escapes.
    MessageTextEvil,
    /// 100 KB of text.
    MessageTextHuge,
    /// Details that are no base64 in one call and no message in the next.
    DetailsGarbage,
    /// 256 KiB of details.
    DetailsHuge,
    TwoMessages,
    ZeroMessages,
    /// A length of 4 GiB in front of a few bytes.
    Length4gib,
    /// A real message of just over 4 MiB.
    HugeMessage,
    /// A frame that says it is compressed, without an encoding.
    CompressedFlag,
    /// A whole frame around a message that was cut.
    TruncatedMessage,
    GarbageMessage,
    /// Groups in groups, a hundred thousand of them, none closed.
    DeepMessage,
    InvalidUtf8,
    /// Every field with the wire type of another.
    WrongTypes,
    /// A number that the enum does not have.
    UnknownEnum,
}

impl Fault {
    /// All of them.
    pub(crate) fn all() -> Vec<Fault> {
        let sockets = Socket::ALL.iter().copied().map(Fault::Socket);
        let frames = Frames::ALL.iter().copied().map(Fault::Frames);
        sockets.chain(frames).chain(Answer::ALL.iter().copied().map(Fault::Answer)).collect()
    }

    /// `RstInternal`: also the name of the RPC that only reads; `DoRstInternal` is the one that does not.
    pub(crate) fn name(self) -> String {
        match self {
            Fault::Socket(fault) => format!("{fault:?}"),
            Fault::Frames(fault) => format!("{fault:?}"),
            Fault::Answer(fault) => format!("{fault:?}"),
        }
    }

    /// The service that registers: `f_rst_internal`.
    pub(crate) fn service(self) -> String {
        let mut service = "f".to_owned();
        for letter in self.name().chars() {
            if letter.is_ascii_uppercase() {
                service.push('_');
            }
            service.push(letter.to_ascii_lowercase());
        }
        service
    }

    /// The field of Query: `rstInternal`.
    pub(crate) fn query(self) -> String {
        let name = self.name();
        name[..1].to_ascii_lowercase() + &name[1..]
    }

    /// The field of Mutation: `doRstInternal`.
    pub(crate) fn mutation(self) -> String {
        format!("do{}", self.name())
    }
}

impl Socket {
    const ALL: [Socket; 8] = [
        Socket::Refused,
        Socket::AcceptClose,
        Socket::AcceptHang,
        Socket::TlsToPlain,
        Socket::PlainToTls,
        Socket::SettingsHang,
        Socket::SettingsGarbage,
        Socket::Http1Answer,
    ];
}

impl Frames {
    const ALL: [Frames; 5] =
        [Frames::GoawayNow, Frames::GoawayRefuse, Frames::TcpRst, Frames::TcpCloseMid, Frames::HeaderFlood];
}

impl Answer {
    const ALL: [Answer; 45] = [
        Answer::Ok,
        Answer::Slow,
        Answer::Asleep,
        Answer::Flaky,
        Answer::MaxStreams1,
        Answer::GoawayGraceful,
        Answer::RstRefused,
        Answer::RstInternal,
        Answer::RstCancel,
        Answer::RstEnhanceCalm,
        Answer::RstAfterHeaders,
        Answer::RstAfterHalfMessage,
        Answer::HeadersHang,
        Answer::HalfMessage,
        Answer::SlowDrip,
        Answer::FlowStall,
        Answer::Http404,
        Answer::Http503,
        Answer::Http401,
        Answer::Http429,
        Answer::Redirect302,
        Answer::ContentTypeHtml,
        Answer::ContentTypeJson,
        Answer::ContentTypeMissing,
        Answer::TrailersOnlyInternal,
        Answer::TrailersOnlyOk,
        Answer::NoTrailers,
        Answer::TrailersWithoutStatus,
        Answer::StatusGarbage,
        Answer::Status999,
        Answer::MessageTextEvil,
        Answer::MessageTextHuge,
        Answer::DetailsGarbage,
        Answer::DetailsHuge,
        Answer::TwoMessages,
        Answer::ZeroMessages,
        Answer::Length4gib,
        Answer::HugeMessage,
        Answer::CompressedFlag,
        Answer::TruncatedMessage,
        Answer::GarbageMessage,
        Answer::DeepMessage,
        Answer::InvalidUtf8,
        Answer::WrongTypes,
        Answer::UnknownEnum,
    ];
}
