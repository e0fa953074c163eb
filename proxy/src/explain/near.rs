//! Names that are near to one that is not there, for "did you mean".

use bailey_routing::ir::PathMatch;

/// At most so many are told.
const MOST: usize = 3;

/// Those of `known` that somebody who typed `asked` may have meant, the nearest first.
pub(super) fn nearest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let asked = asked.to_ascii_lowercase();
    let allowed = (asked.len() / 6).clamp(1, 3);
    let mut near: Vec<(usize, &str)> = known
        .filter(|name| name.len().abs_diff(asked.len()) <= allowed)
        .map(|name| (strsim::osa_distance(&asked, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
}

/// What is odd about a path that none of `known` takes, if it is one of the usual things.
pub(super) fn path_hint(path: &str, known: &[PathMatch]) -> Option<String> {
    known.iter().find_map(|known| match known {
        PathMatch::Exact(text) | PathMatch::Prefix(text) if text.eq_ignore_ascii_case(path) && **text != *path => {
            Some(format!("upper and lower case count in a path: the rule has {text}"))
        }
        PathMatch::Exact(text) if text.trim_end_matches('/') == path.trim_end_matches('/') => {
            Some(format!("an exact path is compared with its last slash: the rule has {text}"))
        }
        PathMatch::Exact(text) if path.starts_with(&format!("{text}/")) => {
            Some(format!("{text} is an exact path; use PathPrefix for everything below it"))
        }
        PathMatch::Prefix(text) => prefix_hint(path, text.trim_end_matches('/')),
        PathMatch::Exact(_) | PathMatch::Regex(_) | PathMatch::GrpcMethod(_) => None,
    })
}

fn prefix_hint(path: &str, prefix: &str) -> Option<String> {
    let starts = |of: &str, with: &str| of.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if path.starts_with(prefix) {
        return Some(format!("a prefix matches whole path elements: {prefix} takes {prefix}/… and not {path}"));
    }
    if starts(path, prefix) {
        return Some(format!("upper and lower case count in a path: the rule has {prefix}"));
    }
    let above = path.trim_end_matches('/');
    let missing = !above.is_empty() && prefix.starts_with(&format!("{above}/"));
    missing.then(|| format!("the rule begins further down, at {prefix}: the path lacks {}", &prefix[above.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_near_and_other_words_are_not() {
        let known = ["shop.example.com", "shops.example.com", "blog.example.com"];
        let nearest = |asked| nearest(asked, known.into_iter());
        assert_eq!(nearest("shpo.example.com")[0], "shop.example.com");
        assert_eq!(nearest("SHOP.example.com"), ["shop.example.com", "shops.example.com"]);
        assert_eq!(nearest("entirely.other.org"), [""; 0]);
    }

    #[test]
    fn the_usual_slips_in_paths_are_named() {
        let prefix = [PathMatch::Prefix("/shop/cart".into())];
        let exact = [PathMatch::Exact("/health".into())];
        for (path, known, words) in [
            ("/Shop/Cart/1", &prefix, "upper and lower case"),
            ("/shop", &prefix, "lacks /cart"),
            ("/shop/cartwheel", &prefix, "whole path elements"),
            ("/HEALTH", &exact, "upper and lower case"),
            ("/health/", &exact, "last slash"),
            ("/health/deep", &exact, "use PathPrefix"),
        ] {
            let said = path_hint(path, known).unwrap_or_default();
            assert!(said.contains(words), "{path}: {said}");
        }
        assert_eq!(path_hint("/blog", &prefix), None);
    }
}
