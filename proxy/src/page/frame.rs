//! What all screens share: head, navigation, the filter that goes from screen to screen, tables, answers.
#![expect(clippy::cast_precision_loss, reason = "what is drawn or said of it is rounded anyway")]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use bailey_kit::admin::Answer;
use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::filter::Filter;

/// HTML, as it is sent.
pub const HTML: &str = "text/html; charset=utf-8";

/// The style sheet.
pub const STYLE: &str = include_str!("assets/page.css");
/// The script; every screen is whole without it.
pub const SCRIPT: &str = include_str!("assets/page.js");
/// Two walls, one within the other.
pub const ICON: &str = include_str!("assets/icon.svg");

/// Differs whenever an asset does.
static EDITION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    (STYLE, SCRIPT, ICON).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
});

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// What there is, and what flows.
    Topology,
    /// Why a request gets its answer.
    Explain,
    /// All routes.
    Routes,
    /// The last requests.
    Requests,
    /// How the client's address travels.
    Address,
    /// What TLS shows.
    Certificates,
    /// What is configured, and where.
    Configuration,
}

impl Screen {
    /// In the order of the navigation.
    pub const ALL: [Self; 7] = [
        Self::Topology,
        Self::Requests,
        Self::Explain,
        Self::Routes,
        Self::Address,
        Self::Certificates,
        Self::Configuration,
    ];

    /// Where it is.
    pub fn path(self) -> &'static str {
        match self {
            Self::Topology => "/",
            Self::Explain => "/explain",
            Self::Routes => "/routes",
            Self::Requests => "/requests",
            Self::Address => "/address",
            Self::Certificates => "/certificates",
            Self::Configuration => "/configuration",
        }
    }

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Topology => "Topology",
            Self::Explain => "Explain",
            Self::Routes => "Routes",
            Self::Requests => "Requests",
            Self::Address => "Client address",
            Self::Certificates => "Certificates",
            Self::Configuration => "Configuration",
        }
    }

    /// Whether the filter has an effect on it.
    fn filtered(self) -> bool {
        matches!(self, Self::Topology | Self::Routes | Self::Requests)
    }
}

/// What the frame says of the whole.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    /// Which screen this is.
    pub screen: Screen,
    /// What is filtered by.
    pub filter: &'a Filter,
    /// Which tiers are shown, in a few words.
    pub scope: String,
    /// Problems that somebody should do something about: errors, warnings.
    pub problems: (usize, usize),
    /// The last edit was refused.
    pub refused: bool,
}

/// A whole page.
pub fn page(around: &Around<'_>, content: &Markup) -> Answer {
    let filter = around.filter.query();
    let with_filter =
        |screen: Screen| if screen.filtered() { link(screen.path(), &filter) } else { screen.path().to_owned() };
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (around.screen.title()) " – Bailey" }
                link rel="icon" href=(asset("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(asset("page.css"));
                script src=(asset("page.js")) {}
            }
            body data-screen=(around.screen.path()) {
                a.skip href="#content" { "Skip to content" }
                header.top {
                    a.brand href="/" { (PreEscaped(ICON)) span { "Bailey" } }
                    p.scope { (around.scope) }
                    span #live.live role="status" hidden {}
                    button #theme.quiet type="button" hidden { "Theme" }
                }
                nav.tabs aria-label="Screens" {
                    ul {
                        @for screen in Screen::ALL {
                            li { a href=(with_filter(screen)) aria-current=[(screen == around.screen).then_some("page")] {
                                (screen.title())
                                @if screen == Screen::Configuration && around.problems.0 + around.problems.1 > 0 {
                                    " " span.count.error[around.problems.0 > 0] { (around.problems.0 + around.problems.1) span.hidden { " problems" } }
                                }
                            } }
                        }
                    }
                }
                main #content tabindex="-1" {
                    @if around.refused {
                        p.notice.error role="alert" { strong { "The last edit was refused." } " The configuration before it is served. " a href="/configuration#refused" { "See why" } }
                    }
                    @if around.screen.filtered() && !around.filter.is_empty() { (chips(around)) }
                    (content)
                }
                footer.foot { "bailey " (env!("CARGO_PKG_VERSION")) " · read-only · " a href="/metrics" { "metrics" } " · " a href="/readyz?verbose" { "readiness" } }
            }
        }
    };
    Answer::whole(StatusCode::OK, HTML, markup.into_string())
}

/// What is filtered by, each with a way out.
fn chips(around: &Around<'_>) -> Markup {
    html! {
        p.chips {
            span { "Filtered by" }
            @for (name, value, without) in around.filter.parts() {
                a.chip href=(link(around.screen.path(), &without)) {
                    (name) " " strong { (shown(value)) } " " span aria-hidden="true" { "×" } span.hidden { " (remove)" }
                }
            }
        }
    }
}

/// A path with a query, if there is one.
pub fn link(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The address of an asset, with a version so that browsers may keep it.
fn asset(name: &str) -> String {
    format!("/assets/{name}?v={}", *EDITION)
}

/// An asset by its name.
pub fn find_asset(name: &str) -> Option<Answer> {
    let (content_type, text) = match name {
        "page.css" => ("text/css; charset=utf-8", STYLE),
        "page.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return None,
    };
    Some(Answer { immutable: true, ..Answer::whole(StatusCode::OK, content_type, text) })
}

/// A stranger's text: characters that are not seen, or that turn the text around them, are made visible; a very long one
/// is cut.
pub fn shown(text: &str) -> String {
    const ROOM: usize = 2000;
    let mut out = String::with_capacity(text.len().min(ROOM));
    for (at, c) in text.chars().enumerate() {
        if at >= ROOM {
            out.push('…');
            break;
        }
        if (c.is_control() && c != '\n' && c != '\t') || super::graph::svg::is_direction(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A heading with what to know about the screen.
pub fn heading(title: &str, intro: &str) -> Markup {
    html! { div.heading { h1 { (title) } p { (intro) } } }
}

/// A table that scrolls within its box; the box can be reached by keyboard.
pub fn table(label: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// What stands where there is nothing.
pub fn empty(text: &str) -> Markup {
    html! { p.empty { (text) } }
}

/// A word with the colour of its meaning; the word alone says it too.
pub fn badge(kind: &str, text: &str) -> Markup {
    html! { span class=(format!("badge {kind}")) { (text) } }
}

/// A status with the colour of its class.
pub fn status(code: Option<i64>) -> Markup {
    match code {
        Some(code) => {
            let kind = match code {
                500.. => "error",
                400..500 => "warning",
                300..400 => "info",
                _ => "fine",
            };
            badge(kind, &code.to_string())
        }
        None => badge("error", "none"),
    }
}

/// A duration as people say it.
pub fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        10_000..100_000 => format!("{:.1} ms", us as f64 / 1e3),
        100_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(shown("a\u{202e}b\u{0}"), "a\\u{202e}b\\u{0}");
        assert_eq!(shown("ü日本"), "ü日本");
        assert_eq!(shown(&"x".repeat(9000)).chars().count(), 2001);
    }

    #[test]
    fn durations_read_well() {
        for (us, text) in
            [(7, "7 µs"), (1_234, "1.23 ms"), (45_678, "45.7 ms"), (456_789, "456 ms"), (1_500_000, "1.50 s")]
        {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn the_script_is_small_and_nothing_comes_from_elsewhere() {
        assert!(SCRIPT.len() < 10_000, "{}", SCRIPT.len());
        for text in [SCRIPT, STYLE, ICON] {
            let foreign = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("http://") && !foreign.contains("https://"), "an outside address");
        }
    }
}
