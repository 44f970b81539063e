/* SPDX-License-Identifier: MIT */
/**
 * The objects of a topology, one structure per kind. They refer to each other by
 * index; -1 means none or unknown. Strings and arrays are owned by the topology and
 * valid until devio_topo_close(). Included by <devio/topo.h>.
 */
#ifndef DEVIO_TOPO_INFO_H
#define DEVIO_TOPO_INFO_H

#include <devio/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The kernel, its configuration, the CPU and limits. Tri-state: 1 yes, 0 no, -1 unknown. */
struct devio_topo_machine {
	size_t sz;
	const char *release;      /* "6.18.44"; "" if unknown */
	unsigned int kernel;      /* major << 16 | minor << 8; 0 if unknown */
	const char *cpu_vendor;   /* "GenuineIntel", "AuthenticAMD", ... */
	const char *cpu_model;
	int cpu_family;           /* -1 if unknown */
	int iommu;                /* tri-state: devices are in IOMMU groups */
	const char *iommu_type;   /* of the first readable group: "DMA", "DMA-FQ", "identity"; "" if none */
	int io_uring_disabled;    /* kernel.io_uring_disabled: 0 allowed, 1 restricted, 2 disabled, -1 unknown */
	uint64_t memlock;         /* RLIMIT_MEMLOCK in bytes; UINT64_MAX: unlimited or unknown */
	const char *config_from;  /* the file with the kernel configuration, "" if none is readable */
	int config_p2pdma;        /* CONFIG_PCI_P2PDMA; tri-state, as are the next four */
	int config_udmabuf;       /* CONFIG_UDMABUF */
	int config_heaps;         /* CONFIG_DMABUF_HEAPS */
	int config_vfio_dmabuf;   /* CONFIG_VFIO_PCI_DMABUF */
	int config_hsa_p2p;       /* CONFIG_HSA_AMD_P2P */
	int dev_udmabuf;          /* /dev/udmabuf: 1 usable, 0 absent, -1 no permission */
	int dev_heap;             /* /dev/dma_heap/system: likewise */
	int nvidia_open;          /* NVIDIA's open kernel modules: 1 yes, 0 proprietary, -1 not loaded or unknown */
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
	const char *root;         /* its root bus: "pci0000:00" */
	const char *driver;       /* "" if none is bound */
	int parent;               /* index of the bridge above it, -1: on a root bus */
	int type;                 /* enum devio_pci_type */
	uint32_t class_code;      /* 0x010802: class, subclass, interface */
	uint16_t vendor, device;
	int numa_node;            /* -1 unknown */
	int iommu_group;          /* -1 none */
	int acs;                  /* ACS redirects peer-to-peer traffic upstream: 1 yes, 0 no, -1 not readable */
	const char *link_speed;   /* "16.0 GT/s PCIe", "" if unknown */
	unsigned int link_width;  /* lanes in use, 0 if unknown */
	uint64_t bar[6];          /* sizes in bytes, 0: not implemented or unknown */
	uint64_t p2pmem_size;     /* P2PDMA memory that it provides, in bytes, 0: none */
	uint64_t p2pmem_free;     /* bytes of it that are available */
	int p2pmem_published;     /* 1: available to the kernel's own users, too */
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
	uint32_t block_size;      /* logical block size in bytes; 0 if unknown */
	uint32_t dma_align;       /* memory alignment for O_DIRECT in bytes; 0 if unknown */
	int numa_node;
	int pci;                  /* index of its controller's PCI function, -1 if none */
	const int *lower;         /* indices of the block devices that it is stacked on */
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
	const char *options;      /* mount options, followed by those of the file system */
	int block;                /* index of its block device, -1: none or not found */
	int pseudo;               /* 1: proc, sysfs, cgroup, ...: does not store user files */
};

/** A GPU or accelerator. */
struct devio_topo_gpu {
	size_t sz;
	int pci;                  /* index */
	const char *bdf;
	const char *driver;
	const char *name;         /* vendor and model, as far as known */
	const char *card;         /* "/dev/dri/card0", "" if none */
	const char *render;       /* "/dev/dri/renderD128", "" if none */
	const char *spec;         /* of its memory for devio_mem_alloc(); "" if not supported */
	uint64_t vram;            /* bytes, 0 if unknown */
	uint64_t bar;             /* size of its largest BAR in bytes */
	uint64_t bar_max;         /* largest size that this BAR supports (Resizable BAR), 0 if unknown */
	int large_bar;            /* the BAR covers all memory: 1 yes, 0 only a part, -1 unknown */
};

/** A network interface. */
struct devio_topo_nic {
	size_t sz;
	const char *name;         /* "eth0" */
	const char *driver;       /* "" for virtual interfaces */
	int pci;                  /* index, -1 if none */
	int numa_node;
	int speed;                /* Mb/s, -1 if unknown */
	unsigned int rx_queues, tx_queues;
};

enum devio_can { DEVIO_CAN_NOT = 0, DEVIO_CAN = 1, DEVIO_CAN_UNKNOWN = 2 };

/** devio_topo_p2p.route */
enum devio_p2p_route { DEVIO_P2P_NONE, DEVIO_P2P_SAME, DEVIO_P2P_SWITCH, DEVIO_P2P_HOST_BRIDGE };

/** Peer-to-peer reachability between two PCI functions, by the rules of the kernel's P2PDMA code. */
struct devio_topo_p2p {
	size_t sz;
	int can;                  /* enum devio_can */
	int route;                /* enum devio_p2p_route */
	int distance;             /* hops as the kernel counts them, -1: no common bridge */
	int via;                  /* index of the bridge above both, -1: the host bridge */
	char cause[240];          /* why, as a sentence */
	char fix[240];            /* what to do about it, "" if nothing is needed or known */
};

/** Whether one path can be used for a file and a memory. */
struct devio_topo_verdict {
	size_t sz;
	int can;                  /* enum devio_can */
	int err;                  /* -errno of a transfer if it cannot, otherwise 0 */
	unsigned int reason;      /* enum devio_reason */
	char cause[240];          /* why, as a sentence */
	char fix[240];            /* what to do about it, "" if nothing is needed or known */
};

#ifdef __cplusplus
}
#endif
#endif
