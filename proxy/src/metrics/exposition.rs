//! Writes the `OpenMetrics` text format 1.0. Own code, as the library for it lets nobody else make an exemplar, and builds a
//! map of strings for each series.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::histogram::{BOUNDS, Total};
use super::table::{Definition, Kind};

/// The text of one scrape while it is written.
pub(super) struct Exposition {
    text: String,
    /// The labels that every sample has, as they are written.
    common: String,
}

/// One metric of the text, to which its samples are added.
pub(super) struct Family<'a> {
    to: &'a mut Exposition,
    definition: &'static Definition,
}

impl Exposition {
    /// Nothing yet; every sample will have these labels.
    pub(super) fn new(labels: &[(&'static str, String)]) -> Self {
        let mut common = String::new();
        for (name, value) in labels {
            label(&mut common, name, value);
        }
        Self { text: String::with_capacity(16 << 10), common }
    }

    /// Begins a metric.
    pub(super) fn family(&mut self, definition: &'static Definition) -> Family<'_> {
        let Definition { name, kind, help, .. } = definition;
        let (kind, unit) = (kind.as_str(), definition.unit());
        put(&mut self.text, format_args!("# HELP {name} {help}.\n# TYPE {name} {kind}\n"));
        if !unit.is_empty() {
            put(&mut self.text, format_args!("# UNIT {name} {unit}\n"));
        }
        Family { to: self, definition }
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample; the values are those of the metric's labels, in their order.
    pub(super) fn sample(&mut self, values: &[&str], value: impl std::fmt::Display) {
        let suffix = match self.definition.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        let labels = self.labels(values);
        self.line(suffix, &labels, None, format_args!("{value}"));
        self.to.text.push('\n');
    }

    /// Adds a histogram.
    pub(super) fn histogram(&mut self, values: &[&str], total: &Total) {
        let labels = self.labels(values);
        let mut sum = 0;
        for (at, count) in total.buckets.iter().enumerate() {
            sum += count;
            let bound = BOUNDS.get(at).copied().unwrap_or(f64::INFINITY);
            self.line("_bucket", &labels, Some(bound), format_args!("{sum}"));
            if let Some(exemplar) = total.exemplar(at) {
                let since = exemplar.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let (trace, seconds) = (exemplar.trace, exemplar.took.as_secs_f64());
                let at = since.as_secs_f64();
                put(&mut self.to.text, format_args!(" # {{trace_id=\"{trace:032x}\"}} {seconds} {at:.3}"));
            }
            self.to.text.push('\n');
        }
        self.line("_count", &labels, None, format_args!("{sum}"));
        self.to.text.push('\n');
        self.line("_sum", &labels, None, format_args!("{}", total.seconds()));
        self.to.text.push('\n');
    }

    fn labels(&self, values: &[&str]) -> String {
        debug_assert_eq!(values.len(), self.definition.labels.len(), "{}", self.definition.name);
        let mut labels = self.to.common.clone();
        for (name, value) in self.definition.labels.iter().zip(values) {
            label(&mut labels, name, value);
        }
        labels
    }

    /// One sample, without the end of its line. `bound`: of a bucket; infinity is that of the last one.
    fn line(&mut self, suffix: &str, labels: &str, bound: Option<f64>, value: std::fmt::Arguments<'_>) {
        let text = &mut self.to.text;
        text.push_str(self.definition.name);
        text.push_str(suffix);
        if !labels.is_empty() || bound.is_some() {
            text.push('{');
            text.push_str(labels);
            if let Some(bound) = bound {
                text.push_str(if labels.is_empty() { "le=\"" } else { ",le=\"" });
                if bound.is_finite() {
                    put(text, format_args!("{bound:?}\""));
                } else {
                    text.push_str("+Inf\"");
                }
            }
            text.push('}');
        }
        put(text, format_args!(" {value}"));
    }
}

/// Appends `name="value"`, escaped.
fn label(to: &mut String, name: &str, value: &str) {
    if !to.is_empty() {
        to.push(',');
    }
    to.push_str(name);
    to.push_str("=\"");
    for character in value.chars() {
        match character {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            other => to.push(other),
        }
    }
    to.push('"');
}

fn put(to: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = to.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::table;

    #[test]
    fn values_of_labels_stay_inside_their_quotes() {
        let mut text = Exposition::new(&[("tier", "a\"b\\c\nd".to_owned())]);
        text.family(&table::CONNECTIONS).sample(&[], 3);
        let text = text.finish();
        assert!(text.contains("bailey_connections{tier=\"a\\\"b\\\\c\\nd\"} 3\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_counter_and_an_info_have_their_suffix_and_a_unit_its_line() {
        let mut text = Exposition::new(&[]);
        text.family(&table::RETRIES).sample(&[], 1);
        text.family(&table::BUILD).sample(&["1.2.3"], 1);
        text.family(&table::CONFIG_LOADED).sample(&[], 1.5);
        let text = text.finish();
        assert!(text.contains("# TYPE bailey_retries counter\nbailey_retries_total 1\n"), "{text}");
        assert!(text.contains("# TYPE bailey_build info\nbailey_build_info{version=\"1.2.3\"} 1\n"), "{text}");
        let name = "bailey_config_last_success_timestamp_seconds";
        assert!(text.contains(&format!("# UNIT {name} seconds\n{name} 1.5\n")), "{text}");
    }
}
