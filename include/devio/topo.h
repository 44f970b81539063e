/* SPDX-License-Identifier: MIT */
/**
 * Topology: drives, file systems, GPUs and NICs, who reaches whom peer to
 * peer, and for a file and a memory which path can be taken, which cannot,
 * why, and what to do about it.
 *
 * A topology is a snapshot: it is read once in devio_topo_open() from sysfs
 * and proc, nothing is opened, loaded or tried, and it does not change. It may
 * be used by any number of threads. What cannot be read is left unknown (-1,
 * 0 or "") and told as a note. Strings and arrays in the structures belong to
 * the topology and live until devio_topo_close().
 *
 * The verdicts here are deductions. devio_file_explain() asks the paths
 * themselves, and a transfer is the only proof.
 */
#ifndef DEVIO_TOPO_H
#define DEVIO_TOPO_H

#include <devio/base.h>
#include <devio/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct devio_topo;

struct devio_topo_opts {
	size_t sz;
	/*
	 * NULL: this machine (sysfs below the context's sysfs_root). Else a
	 * directory with a captured machine: its sys, proc and dev. Files named
	 * to devio_topo_explain() are then names in that machine, not opened.
	 */
	const char *root;
	unsigned int flags; /* must be 0 */
};

/**
 * Reads the machine. opts may be NULL. A broken or partial tree gives what is
 * readable, plus notes. Errors: -ENOENT (no such root), -ENOMEM, -EINVAL, -E2BIG.
 */
DEVIO_API int devio_topo_open(struct devio_ctx *ctx, const struct devio_topo_opts *opts,
			      struct devio_topo **topo);

/** Frees it and every string that it gave; NULL is allowed. */
DEVIO_API void devio_topo_close(struct devio_topo *topo);

/** What devio_topo_count() counts; indices below run from 0 to count - 1. */
enum devio_topo_kind {
	DEVIO_TOPO_PCI,   /* PCI functions, sorted by address */
	DEVIO_TOPO_BLOCK, /* block devices, partitions and stacked ones too */
	DEVIO_TOPO_FS,    /* mounts, in the order of mountinfo */
	DEVIO_TOPO_GPU,   /* display and accelerator functions */
	DEVIO_TOPO_NIC,   /* network interfaces */
	DEVIO_TOPO_NOTE,  /* what could not be read, and what root would add */
};
DEVIO_API unsigned int devio_topo_count(const struct devio_topo *topo, enum devio_topo_kind kind);

/** The kernel, the CPU and what they allow. Tri-states: 1 yes, 0 no, -1 unknown. */
struct devio_topo_machine {
	size_t sz;
	const char *release;      /* "6.18.44"; "" if unknown */
	unsigned int kernel;      /* major << 16 | minor << 8; 0 if unknown */
	const char *cpu_vendor;   /* "GenuineIntel", "AuthenticAMD", ... */
	const char *cpu_model;
	int cpu_family;           /* -1 if unknown */
	int iommu;                /* tri-state: devices are in IOMMU groups */
	const char *iommu_type;   /* of most groups: "DMA", "DMA-FQ", "identity"; "" if none */
	int io_uring_disabled;    /* kernel.io_uring_disabled; 0 allowed, -1 unknown */
	uint64_t memlock;         /* RLIMIT_MEMLOCK in bytes, UINT64_MAX: unlimited or unknown */
	const char *config_from;  /* where the next ones come from, "" if no configuration is readable */
	int config_p2pdma;        /* CONFIG_PCI_P2PDMA */
	int config_udmabuf;       /* CONFIG_UDMABUF */
	int config_heaps;         /* CONFIG_DMABUF_HEAPS */
	int config_vfio_dmabuf;   /* CONFIG_VFIO_PCI_DMABUF */
	int config_hsa_p2p;       /* CONFIG_HSA_AMD_P2P */
	int dev_udmabuf;          /* /dev/udmabuf: 1 usable, 0 absent, -1 no permission */
	int dev_heap;             /* /dev/dma_heap/system, the same */
	int nvidia_open;          /* NVIDIA's modules are the open ones; -1 not loaded or unknown */
};

/** devio_topo_pci.type */
enum devio_pci_type {
	DEVIO_PCI_ENDPOINT, DEVIO_PCI_HOST_BRIDGE, DEVIO_PCI_ROOT_PORT, DEVIO_PCI_SWITCH_UP,
	DEVIO_PCI_SWITCH_DOWN, DEVIO_PCI_BRIDGE,
};

/** A PCI function. */
struct devio_topo_pci {
	size_t sz;
	const char *bdf;          /* "0000:01:00.0" */
	const char *root;         /* the root bus that it hangs on: "pci0000:00" */
	const char *driver;       /* "" if none is bound */
	int parent;               /* index of the bridge above it, -1 on a root bus */
	int type;                 /* enum devio_pci_type */
	uint32_t class_code;      /* 0x010802: class, subclass, interface */
	uint16_t vendor, device;
	int numa_node;            /* -1 unknown */
	int iommu_group;          /* -1 none */
	int acs;                  /* 1: redirects peer traffic upstream (ACS), 0 not, -1 not readable */
	const char *link_speed;   /* "16.0 GT/s PCIe", "" if unknown */
	unsigned int link_width;  /* lanes in use, 0 if unknown */
	uint64_t bar[6];          /* bytes */
	uint64_t p2pmem_size;     /* bytes of peer memory that it provides, 0: none */
	uint64_t p2pmem_free;
	int p2pmem_published;
};

/** devio_topo_block.kind */
enum devio_block_kind {
	DEVIO_BLOCK_OTHER, DEVIO_BLOCK_NVME, DEVIO_BLOCK_NVME_HEAD, DEVIO_BLOCK_NVME_PATH, DEVIO_BLOCK_DISK,
	DEVIO_BLOCK_PARTITION, DEVIO_BLOCK_DM, DEVIO_BLOCK_MD, DEVIO_BLOCK_LOOP, DEVIO_BLOCK_RAM,
};

/** A block device. */
struct devio_topo_block {
	size_t sz;
	const char *name;         /* "nvme0n1p1" */
	const char *detail;       /* the drive's model, "raid0", a dm name, a backing file, ...; may be "" */
	const char *controller;   /* "nvme0", "virtio1"; "" if none */
	const char *transport;    /* "pcie", "tcp", "rdma", "fc", "virtio", "" */
	int kind;                 /* enum devio_block_kind */
	uint32_t dev_major, dev_minor;
	uint64_t size;            /* bytes */
	uint32_t block_size;      /* logical, bytes; 0 unknown */
	uint32_t dma_align;       /* memory alignment for O_DIRECT, bytes; 0 unknown */
	int numa_node;
	int pci;                  /* index of its controller's PCI function, -1 if none */
	const int *lower;         /* indices of the block devices that it is made of */
	unsigned int nr_lower;
};

/** A mount. */
struct devio_topo_fs {
	size_t sz;
	int id;                   /* mount ID */
	uint32_t dev_major, dev_minor;
	const char *where;        /* mount point */
	const char *type;         /* "ext4" */
	const char *source;       /* "/dev/nvme0n1p2", "tank/data", ... */
	const char *options;      /* of the mount, then of the file system */
	int block;                /* index of its block device, -1: none or not found */
	int pseudo;               /* 1: proc, sysfs, cgroup, ...: keeps no files of a user's */
};

/** A GPU or accelerator. */
struct devio_topo_gpu {
	size_t sz;
	int pci;                  /* index */
	const char *bdf;
	const char *driver;
	const char *name;         /* vendor and model as far as known */
	const char *card;         /* "/dev/dri/card0", "" if none */
	const char *render;       /* "/dev/dri/renderD128", "" if none */
	const char *spec;         /* how devio_mem_alloc() names its memory; "" if it cannot */
	uint64_t vram;            /* bytes, 0 unknown */
	uint64_t bar;             /* its largest BAR, bytes */
	uint64_t bar_max;         /* the largest that it could have (resizable BAR), 0 unknown */
	int large_bar;            /* 1: peers see all of its memory, 0 a part, -1 unknown */
};

/** A network interface. */
struct devio_topo_nic {
	size_t sz;
	const char *name;         /* "eth0" */
	const char *driver;       /* "" for virtual ones */
	int pci;                  /* index, -1 if none */
	int numa_node;
	int speed;                /* Mb/s, -1 unknown */
	unsigned int rx_queues, tx_queues;
};

/** Fill *info for index i (set info->sz first). Errors: -EINVAL (sz), -ERANGE (no such index). */
DEVIO_API int devio_topo_get_machine(const struct devio_topo *topo, struct devio_topo_machine *info);
DEVIO_API int devio_topo_get_pci(const struct devio_topo *topo, unsigned int i, struct devio_topo_pci *info);
DEVIO_API int devio_topo_get_block(const struct devio_topo *topo, unsigned int i,
				   struct devio_topo_block *info);
DEVIO_API int devio_topo_get_fs(const struct devio_topo *topo, unsigned int i, struct devio_topo_fs *info);
DEVIO_API int devio_topo_get_gpu(const struct devio_topo *topo, unsigned int i, struct devio_topo_gpu *info);
DEVIO_API int devio_topo_get_nic(const struct devio_topo *topo, unsigned int i, struct devio_topo_nic *info);

/** A note as a sentence; NULL past the last. */
DEVIO_API const char *devio_topo_get_note(const struct devio_topo *topo, unsigned int i);

/** "switch-down", "nvme-head", ...; "?" for an unknown number. Static. */
DEVIO_API const char *devio_pci_type_name(int type);
DEVIO_API const char *devio_block_kind_name(int kind);

/** The index of a PCI address ("0000:01:00.0", "01:00.0"), or -ENODEV, or -EINVAL. */
DEVIO_API int devio_topo_find_pci(const struct devio_topo *topo, const char *bdf);

enum devio_can { DEVIO_CAN_NOT = 0, DEVIO_CAN = 1, DEVIO_CAN_UNKNOWN = 2 };

/** "no", "yes", "unknown". Static. */
DEVIO_API const char *devio_can_name(int can);

/** devio_topo_p2p.route */
enum devio_p2p_route { DEVIO_P2P_NONE, DEVIO_P2P_SAME, DEVIO_P2P_SWITCH, DEVIO_P2P_HOST_BRIDGE };

/** Peer to peer between two PCI functions, by the rules of the kernel's p2pdma. */
struct devio_topo_p2p {
	size_t sz;
	int can;                  /* enum devio_can */
	int route;                /* enum devio_p2p_route */
	int distance;             /* hops as the kernel counts them */
	int via;                  /* index of the bridge above both, -1: the host bridge */
	char cause[240];          /* a sentence */
	char cure[240];           /* what would help, "" if nothing is needed or known */
};

/** Whether `client` (a drive) may reach memory of `provider`; both are indices of PCI functions. */
DEVIO_API int devio_topo_get_p2p(const struct devio_topo *topo, int provider, int client,
				 struct devio_topo_p2p *info);

/** What one path can do for a file and a memory. */
struct devio_topo_verdict {
	size_t sz;
	int can;                  /* enum devio_can */
	int err;                  /* -errno that fits when it cannot, 0 if it can */
	unsigned int reason;      /* enum devio_reason */
	char cause[240];
	char cure[240];
};

/**
 * The verdict on `path` (enum devio_path, not AUTO) between a file (regular or
 * block device; a directory stands for files in it) and the memory that spec
 * names. bdf: the PCI address of that memory if the caller knows it
 * (devio_mem_info.bdf), else NULL. Only stats the file. Errors are of the
 * question, not of the path: -ENOENT, -EACCES, -ESPIPE (no such or no fitting
 * file), -EINVAL (spec or path).
 */
DEVIO_API int devio_topo_explain(const struct devio_topo *topo, const char *file, const char *spec,
				 const char *bdf, int path, struct devio_topo_verdict *info);

/** Where a file lies: indices of its mount (-1: a block device itself) and block device (-1 if none). */
DEVIO_API int devio_topo_find_file(const struct devio_topo *topo, const char *file, int *fs, int *block);

/**
 * The drives under a block device, through partitions, dm, md, loop and
 * multipath: fills up to max indices of block devices, returns how many there are.
 */
DEVIO_API int devio_topo_drives(const struct devio_topo *topo, unsigned int block, int *drives,
				unsigned int max);

#ifdef __cplusplus
}
#endif
#endif
