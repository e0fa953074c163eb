use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bailey_acme::record::{Account, Certificate, Order};
use bailey_acme::{Secret, Time};
use proptest::prelude::*;

use super::*;

/// What a fault is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The process dies: this call and all that follow do nothing.
    Kill,
    /// One call fails with this.
    Once(i32),
    /// All that write fail with this from here on.
    Always(i32),
}

// Error numbers of Linux.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// A disk of which the call with some number fails.
#[derive(Clone)]
struct Faulty {
    disk: Disk,
    calls: Arc<AtomicUsize>,
    at: usize,
    fault: Option<Fault>,
}

impl Faulty {
    fn new(folder: &std::path::Path, fault: Option<(usize, Fault)>) -> Self {
        let disk = Disk::at(folder).unwrap();
        let (at, fault) = fault.map_or((usize::MAX, None), |(at, fault)| (at, Some(fault)));
        Self { disk, calls: Arc::default(), at, fault }
    }

    /// Counts a call that writes, and says whether it fails.
    fn call(&self) -> io::Result<()> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Some(Fault::Kill) if number >= self.at => Err(io::Error::other("dead")),
            Some(Fault::Once(errno)) if number == self.at => Err(io::Error::from_raw_os_error(errno)),
            Some(Fault::Always(errno)) if number >= self.at => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }
}

impl Files for Faulty {
    type New = fs::File;
    type Lock = ();

    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }

    fn create(&self, name: &str) -> io::Result<fs::File> {
        self.call()?;
        self.disk.create(name)
    }

    fn write(&self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        // The half arrives, and then it fails.
        self.disk.write(file, &bytes[..bytes.len() / 2])?;
        self.call()?;
        self.disk.write(file, &bytes[bytes.len() / 2..])
    }

    fn sync(&self, file: &fs::File) -> io::Result<()> {
        self.call()?;
        self.disk.sync(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.call()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.call()?;
        self.disk.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.call()?;
        self.disk.sync_names()
    }

    // Two processes of one test: the real lock has a test of its own.
    fn lock(&self, _: &str) -> io::Result<Option<()>> {
        self.call()?;
        Ok(Some(()))
    }
}

fn id(host: &str) -> CertificateId {
    CertificateId::of("team-a", host)
}

fn certificate(host: &str, generation: u64) -> Certificate {
    Certificate {
        generation,
        tenant: "team-a".to_owned(),
        host: host.to_owned(),
        authority: "https://ca.example.com/directory".to_owned(),
        profile: None,
        issued: Time(generation),
        unwanted: None,
        key: Secret::new(vec![generation as u8; 138]),
        chain: vec![vec![1; 900], vec![2; 1200]],
    }
}

fn disk(folder: &tempfile::TempDir) -> Folder<Disk> {
    Folder::open(Disk::at(folder.path()).unwrap())
}

fn generation(contents: &Contents, host: &str) -> Option<u64> {
    contents.certificates.get(&id(host)).map(|certificate| certificate.generation)
}

fn save(volume: &Folder<impl Files>, generation: u64) -> Result<(), StoreError> {
    volume.save(&Item::Certificate(id("a.example.com"), Arc::new(certificate("a.example.com", generation))))
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let mut budget = Budget::default();
    budget.failed("a.example.com", Time(5));
    let account = Account { authority: "https://ca/dir".to_owned(), url: None, key: Secret::new(vec![9]) };
    let order = Order {
        tenant: "team-a".to_owned(),
        host: "a.example.com".to_owned(),
        progress: bailey_acme::order::Progress { failures: 1, ..Default::default() },
    };
    {
        let volume = disk(&folder);
        save(&volume, 1).unwrap();
        volume.save(&Item::Account(Arc::new(account.clone()))).unwrap();
        volume.save(&Item::Order(id("a.example.com"), Arc::new(order.clone()))).unwrap();
        volume.save(&Item::Budget(Arc::new(budget.clone()))).unwrap();
        volume.probe().unwrap();
    }
    let contents = disk(&folder).load().unwrap();
    assert_eq!(contents.certificates[&id("a.example.com")], certificate("a.example.com", 1));
    assert_eq!(contents.accounts["https://ca/dir"], account);
    assert_eq!(contents.orders[&id("a.example.com")], order);
    assert_eq!((contents.budget, contents.unreadable), (Some(budget), vec![]));
    let left = fs::read_dir(folder.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(NEW));
    assert_eq!(left.count(), 0);
}

#[test]
fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    save(&disk(&folder), 1).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// At every call that `save` makes of the file system, with every kind of fault: afterwards the old or the new certificate is
/// loaded, never none and never a mixture, and the next save works.
#[test]
fn a_fault_at_any_call_leaves_the_old_or_the_new_certificate() {
    let mut points = 0;
    for fault in [Fault::Kill, Fault::Once(EIO), Fault::Once(ENOSPC), Fault::Always(ENOSPC), Fault::Always(EROFS)] {
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let before = Folder::open(Faulty::new(folder.path(), None));
            save(&before, 1).unwrap();
            save(&before, 2).unwrap();
            drop(before);
            let files = Faulty::new(folder.path(), Some((at, fault)));
            let volume = Folder::open(files.clone());
            let saved = save(&volume, 3);
            if files.calls.load(Ordering::Relaxed) <= at {
                saved.unwrap();
                break;
            }
            points += 1;
            let found = generation(&disk(&folder).load().unwrap(), "a.example.com");
            if saved.is_ok() {
                assert_eq!(found, Some(3), "{fault:?} at {at}: it was said to be saved");
            } else {
                assert!(matches!(found, Some(2 | 3)), "{fault:?} at {at}: {found:?}");
            }
            let later = disk(&folder);
            save(&later, 4).unwrap();
            assert_eq!(generation(&later.load().unwrap(), "a.example.com"), Some(4), "{fault:?} at {at}");
        }
    }
    assert!(points >= 40, "only {points} points");
}

#[test]
fn a_store_that_cannot_be_written_is_read_and_the_probe_says_so() {
    for errno in [ENOSPC, EROFS, EIO] {
        let folder = tempfile::tempdir().unwrap();
        save(&disk(&folder), 1).unwrap();
        let volume = Folder::open(Faulty::new(folder.path(), Some((0, Fault::Always(errno)))));
        assert_eq!(generation(&volume.load().unwrap(), "a.example.com"), Some(1));
        let told = volume.probe().unwrap_err().to_string();
        assert!(told.contains("certificate store"), "{told}");
        assert!(save(&volume, 2).is_err());
        // The disk is well again: no restart is needed.
        let well = Folder::open(Faulty::new(folder.path(), None));
        well.probe().unwrap();
    }
}

#[test]
fn one_process_writes_and_another_reads() {
    let folder = tempfile::tempdir().unwrap();
    let first = disk(&folder);
    save(&first, 1).unwrap();
    let second = disk(&folder);
    assert_eq!(generation(&second.load().unwrap(), "a.example.com"), Some(1));
    assert!(matches!(second.probe(), Err(StoreError::Taken)));
    assert!(matches!(save(&second, 2), Err(StoreError::Taken)));
    drop(first);
    save(&second, 2).unwrap();
}

#[test]
fn who_was_overtaken_writes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let old = Folder::open(Faulty::new(folder.path(), None));
    save(&old, 1).unwrap();
    let new = Folder::open(Faulty::new(folder.path(), None));
    save(&new, 2).unwrap();
    assert!(matches!(save(&old, 3), Err(StoreError::Fenced { ours: 1, theirs: 2 })));
    assert!(matches!(old.probe(), Err(StoreError::Fenced { .. })));
    assert_eq!(generation(&new.load().unwrap(), "a.example.com"), Some(2));
}

#[test]
fn what_is_broken_is_set_aside_and_the_one_before_serves() {
    let folder = tempfile::tempdir().unwrap();
    let volume = disk(&folder);
    save(&volume, 1).unwrap();
    save(&volume, 2).unwrap();
    let name = format!("certificate-{}", id("a.example.com"));
    let path = folder.path().join(&name);
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(100);
    fs::write(&path, &bytes).unwrap();
    let contents = volume.load().unwrap();
    assert_eq!(generation(&contents, "a.example.com"), Some(1));
    let aside = contents.unreadable[0].aside.clone().unwrap();
    assert_eq!(
        (contents.unreadable[0].why.clone(), fs::read(folder.path().join(aside)).unwrap()),
        (Unreadable::Damaged, bytes)
    );
    save(&volume, 3).unwrap();
    assert_eq!(generation(&volume.load().unwrap(), "a.example.com"), Some(3));
}

#[test]
fn a_budget_that_is_lost_counts_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let volume = disk(&folder);
    assert_eq!(volume.load().unwrap().budget, Some(Budget::default()), "a new folder: nothing was spent");
    volume.save(&Item::Budget(Arc::default())).unwrap();
    fs::write(folder.path().join("budget"), "x").unwrap();
    assert_eq!(volume.load().unwrap().budget, None);
    assert_eq!(volume.load().unwrap().budget, None, "and still after it was set aside");
}

#[test]
fn an_order_with_nothing_to_remember_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let volume = disk(&folder);
    let order = |failures| {
        let progress = bailey_acme::order::Progress { failures, ..Default::default() };
        Item::Order(id("a.example.com"), Arc::new(Order { tenant: String::new(), host: String::new(), progress }))
    };
    volume.save(&order(1)).unwrap();
    assert_eq!(volume.load().unwrap().orders.len(), 1);
    volume.save(&order(0)).unwrap();
    volume.save(&order(0)).unwrap();
    assert!(volume.load().unwrap().orders.is_empty());
}

#[test]
fn what_is_deleted_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    let volume = disk(&folder);
    save(&volume, 1).unwrap();
    save(&volume, 2).unwrap();
    volume.delete(&id("a.example.com")).unwrap();
    assert!(volume.load().unwrap().certificates.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_lies_in_the_folder_is_loaded_around(
        files in prop::collection::vec(("(certificate-|order-|account-|budget|\\.new-|fence|broken-)[0-9a-f]{0,40}(\\.previous)?", any::<Vec<u8>>()), 0..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        save(&disk(&folder), 1).unwrap();
        for (name, bytes) in &files {
            if name != FENCE {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
        }
        let contents = disk(&folder).load().unwrap();
        prop_assert_eq!(generation(&contents, "a.example.com"), Some(1));
    }
}
