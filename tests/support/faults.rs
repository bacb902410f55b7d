//! A disk that fails on order, under the real agent: see `faults.c`, which is compiled and steered from here.

use std::{
    cell::Cell,
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::Command,
};

use crate::{binaries::repository, home::Home};

/// What shall go wrong. Operations are counted from 1 on, beginning with each order; only those count at which the
/// order is another thing than the orders above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing; they are only counted.
    Count,
    /// The process dies in the place of this one.
    Before(usize),
    /// The process dies when this one is done. Writes do not count: after a write is before the next operation, but
    /// after a sync the network may come first.
    After(usize),
    /// Half of this write is done, and the process dies.
    Torn(usize),
    /// The power goes in the place of this one: what no sync made durable is gone. Counts where there is such a thing.
    Cut(usize),
    /// The same, but the newest unsynced write did reach the disk. Counts where there is an older one, too.
    CutButLast(usize),
    /// This one and all that follow fail until the next order.
    FailFrom(usize, Errno),
    /// This one fails, and no other.
    FailOnce(usize, Errno),
    /// There is no room: what needs some fails, until the next order.
    DiskFull,
}

/// Why an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// No space left on the device.
    NoSpace,
    /// Input or output error.
    Io,
    /// The file system is read-only.
    ReadOnly,
}

impl Errno {
    const fn number(self) -> i32 {
        match self {
            Self::NoSpace => 28,
            Self::Io => 5,
            Self::ReadOnly => 30,
        }
    }
}

/// One operation that the agent did, or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number since the order, among all.
    pub number: usize,
    /// `write`, `pwrite`, `fsync`, `fdatasync`, `ftruncate`, `create`, `unlink`, ...
    pub call: String,
    /// The file, from the vault's folder on.
    pub file: String,
    /// How many bytes.
    pub length: usize,
    /// What was done to it; `-` for nothing.
    pub fate: String,
}

impl Operation {
    /// Whether it makes something durable.
    pub fn is_sync(&self) -> bool {
        self.call.contains("sync")
    }
}

/// The disk under one home.
#[derive(Debug)]
pub struct Faults {
    environment: Vec<(String, String)>,
    orders: File,
    seen: PathBuf,
    serial: Cell<u64>,
}

/// No order is longer; the file always has this size, so that it is read whole.
const ORDER_LENGTH: usize = 64;

impl Faults {
    /// Compiles the library into the home's temporary folder. Nothing fails yet.
    ///
    /// # Panics
    /// When there is no C compiler.
    pub fn new(home: &Home) -> Self {
        let at = |name: &str| home.beside("tmp").join(name);
        let (library, order, seen) = (at("faults.so"), at("faults-order"), at("faults-seen"));
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &repository().join("tests/support/faults.c")])
            .status()
            .expect("a C compiler (Debian package build-essential)");
        assert!(status.success(), "faults.c does not compile");
        File::create(&seen).expect("a file for what was seen");
        let orders = OpenOptions::new().create(true).truncate(true).write(true).open(&order).expect("a file of orders");
        let text = |path: PathBuf| path.to_str().expect("a temporary path is text").to_owned();
        let environment = vec![
            ("LD_PRELOAD".to_owned(), text(library)),
            ("FAULTS_ORDER".to_owned(), text(order)),
            ("FAULTS_SEEN".to_owned(), text(seen.clone())),
            ("FAULTS_FOLDER".to_owned(), text(home.path())),
        ];
        Self { environment, orders, seen, serial: Cell::new(0) }
    }

    /// What the agent has to be started with.
    pub fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// Gives an order; it counts from the next operation on.
    pub fn order(&self, order: Order) {
        let (action, at, times, errno) = match order {
            Order::Count => ("count", 0, 0, 0),
            Order::Before(at) => ("before", at, 0, 0),
            Order::After(at) => ("after", at, 0, 0),
            Order::Torn(at) => ("torn", at, 0, 0),
            Order::Cut(at) => ("cut", at, 0, 0),
            Order::CutButLast(at) => ("cut-but-last", at, 0, 0),
            Order::FailFrom(at, errno) => ("fail", at, 0, errno.number()),
            Order::FailOnce(at, errno) => ("fail", at, 1, errno.number()),
            Order::DiskFull => ("fill", 1, 0, Errno::NoSpace.number()),
        };
        self.write_order(action, at, times, errno);
    }

    /// Everything works again.
    pub fn heal(&self) {
        self.write_order("off", 0, 0, 0);
    }

    fn write_order(&self, action: &str, at: usize, times: usize, errno: i32) {
        self.serial.set(self.serial.get() + 1);
        let line = format!("{} {action} {at} {times} {errno}", self.serial.get());
        self.orders.write_all_at(format!("{line:<ORDER_LENGTH$}").as_bytes(), 0).expect("the order is written");
    }

    /// What was done since the last order.
    ///
    /// # Panics
    /// When the list cannot be read.
    pub fn seen(&self) -> Vec<Operation> {
        let text = std::fs::read_to_string(&self.seen).expect("the list of operations");
        let serial = self.serial.get().to_string();
        text.lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let [of, number, call, file, _, length, fate] = words[..] else { return None };
                (of == serial).then(|| Operation {
                    number: number.parse().unwrap_or_default(),
                    call: call.to_owned(),
                    file: file.to_owned(),
                    length: length.parse().unwrap_or_default(),
                    fate: fate.to_owned(),
                })
            })
            .collect()
    }
}
