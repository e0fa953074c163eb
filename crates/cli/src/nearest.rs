//! The name somebody probably meant.

/// The nearest of these names, if one is near enough to be a slip: a third of its letters may differ.
pub fn of<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let near = names.into_iter().filter(|name| *name != written);
    let measured = near.map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name));
    let close = measured.filter(|(distance, name)| *distance <= name.chars().count().max(3) / 3);
    close.min_by_key(|(distance, name)| (*distance, *name)).map(|(_, name)| name)
}

/// ` (did you mean x?)`, or nothing.
pub fn hint<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    of(written, names).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let names = ["request", "expect", "name"];
        assert_eq!(of("reqeust", names), Some("request"));
        assert_eq!(of("Expects", names), Some("expect"));
        assert_eq!(of("name", names), None);
        assert_eq!(of("colour", names), None);
        assert_eq!(hint("nme", names), " (did you mean name?)");
    }
}
