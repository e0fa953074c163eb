//! What is worth saying about a folder beside what each tier finds: what has no effect on one machine.

use bailey_crds::IngressTopology;
use bailey_translate::{Diagnostic, LocalCertificates, Objects, local_notes};

/// Notes on every topology of the folder.
pub fn of(objects: &Objects, certificates: LocalCertificates) -> Vec<Diagnostic> {
    objects.all::<IngressTopology>().flat_map(|(_, entry)| local_notes(entry, certificates)).collect()
}
