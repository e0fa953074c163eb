//! The proofs that are in place, as the replica that orders writes them down for the others.

use super::lines::{Reader, Writer};
use super::{Record, Unreadable};
use crate::challenge::Proofs;

impl Record for Proofs {
    const KIND: &'static str = "proofs";

    fn write(&self, into: &mut Writer) {
        let mut entries: Vec<_> = self.entries().collect();
        // Equal proofs are equal records.
        entries.sort_unstable();
        into.number("proofs", entries.len() as u64);
        for (host, token, authorization) in entries {
            into.text("host", host);
            into.text("token", token);
            into.text("authorization", authorization);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Unreadable> {
        let mut proofs = Self::default();
        for _ in 0..from.number("proofs")? {
            let (host, token) = (from.text("host")?, from.text("token")?);
            if !proofs.put(&host, &token, &from.text("authorization")?) {
                return Err(Unreadable::Malformed("token"));
            }
        }
        Ok(proofs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sealed;

    #[test]
    fn proofs_are_read_as_they_were_written_in_any_order() {
        let (mut one, mut other) = (Proofs::default(), Proofs::default());
        for (host, token) in [("a.example.com", "t1"), ("b.example.com", "t2"), ("a.example.com", "t3")] {
            one.put(host, token, &format!("{token}.thumb"));
        }
        for (host, token) in [("b.example.com", "t2"), ("a.example.com", "t1"), ("a.example.com", "t3")] {
            other.put(host, token, &format!("{token}.thumb"));
        }
        assert_eq!(*one.encode(3), *other.encode(3));
        let (read, fence) = Proofs::decode(&one.encode(3)).unwrap();
        assert_eq!((read == one, fence), (true, 3));
    }

    #[test]
    fn a_token_that_no_authority_makes_is_not_read() {
        let body = "bailey proofs 1\nfence 1\nproofs 1\nhost \"a.example.com\"\ntoken \"../x\"\nauthorization \"x\"\n";
        assert_eq!(Proofs::decode(&sealed(body)).unwrap_err(), Unreadable::Malformed("token"));
    }
}
