/* SPDX-License-Identifier: MIT */
/* Memory to export as a dma-buf, and what counts the tests. */
#include "uring-dmabuf.h"

int tests, failures;

int ok(int good, const char *what, long detail)
{
	if (!good || strlen(what))
		printf("%sok %d - %s (%ld)\n", good ? "" : "not ", ++tests, what, detail);
	fflush(stdout);
	failures += !good;
	return good;
}

int is(long got, long want, const char *what)
{
	return ok(got == want, what, got);
}

int finish(void)
{
	printf("1..%d\n", tests);
	return failures != 0;
}

void die(const char *what)
{
	printf("not ok %d - %s: %s\n", ++tests, what, strerror(errno));
	exit(1);
}

int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die(path);
	return fd;
}

static void *must_map(int fd, size_t len, off_t off)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);

	if (mem == MAP_FAILED)
		die("mmap");
	return mem;
}

void *host_memory(size_t len)
{
	void *mem;

	if (posix_memalign(&mem, 4096, len))
		die("posix_memalign");
	return mem;
}

/* A pattern in which every 8 bytes differ, and which differs with the seed. */
void fill(void *mem, size_t len, uint64_t seed)
{
	uint64_t word, i;

	for (i = 0; i * 8 < len; i++) {
		word = (i + seed) * 0x9e3779b97f4a7c15u;
		memcpy((char *)mem + i * 8, &word, 8);
	}
}

/* ---------------------------------------------------------------- memory */

static struct mem mem_udmabuf(size_t size, bool scattered)
{
	int memory = memfd_create("uring-dmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t n = scattered ? size / 4096 : 1, i;
	struct udmabuf_create_list *list = calloc(1, sizeof(*list) + n * sizeof(list->list[0]));
	struct mem m = { .size = size };

	if (memory < 0 || ftruncate(memory, size) || fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK))
		die("memfd_create");
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	list->count = n;
	for (i = 0; i < n; i++) {
		list->list[i].memfd = memory;
		list->list[i].offset = scattered ? (n - 1 - i) * 4096 : 0;
		list->list[i].size = scattered ? 4096 : size;
	}
	m.fd = ioctl(must_open("/dev/udmabuf", O_RDWR), UDMABUF_CREATE_LIST, list);
	if (m.fd < 0)
		die("UDMABUF_CREATE_LIST");
	m.map = must_map(m.fd, size, 0);
	free(list);
	return m;
}

static struct mem mem_dmaheap(size_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	struct mem m = { .size = size };

	if (ioctl(must_open("/dev/dma_heap/system", O_RDWR), DMA_HEAP_IOCTL_ALLOC, &data))
		die("DMA_HEAP_IOCTL_ALLOC");
	m.fd = data.fd;
	m.map = must_map(m.fd, size, 0);
	return m;
}

static int vfio_group(const char *bdf)
{
	char link[128], target[128] = "", path[128];
	int container, group, noiommu;

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		die(link);
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%s", strrchr(target, '/') + 1);
	noiommu = !access(path, F_OK);
	if (!noiommu)
		snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	container = must_open("/dev/vfio/vfio", O_RDWR);
	group = must_open(path, O_RDWR);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container))
		die("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(container, VFIO_SET_IOMMU, noiommu ? VFIO_NOIOMMU_IOMMU : VFIO_TYPE1v2_IOMMU))
		die("VFIO_SET_IOMMU");
	return group;
}

struct mem mem_vfio(const char *bdf)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR2_REGION_INDEX };
	struct feature_dma_buf feature = {
		.argsz = sizeof(feature), .feature = VFIO_DEVICE_FEATURE_GET | FEATURE_DMA_BUF,
		.region_index = VFIO_PCI_BAR2_REGION_INDEX,
		.open_flags = O_RDWR | O_CLOEXEC,
		.nr_ranges = 1,
	};
	struct mem m = { 0 };

	m.device = ioctl(vfio_group(bdf), VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (m.device < 0)
		die("VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(m.device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("VFIO_DEVICE_GET_REGION_INFO");
	feature.length = m.size = bar.size;
	m.fd = ioctl(m.device, VFIO_DEVICE_FEATURE, &feature);
	if (m.fd < 0)
		die("VFIO_DEVICE_FEATURE_DMA_BUF");
	m.map = must_map(m.device, m.size, bar.offset);
	bar = (struct vfio_region_info){ .argsz = sizeof(bar), .index = VFIO_PCI_CONFIG_REGION_INDEX };
	if (ioctl(m.device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		die("VFIO_DEVICE_GET_REGION_INFO");
	m.config = bar.offset;
	return m;
}

struct mem mem_open(const char *spec, size_t size)
{
	if (!strcmp(spec, "udmabuf") || !strcmp(spec, "scattered"))
		return mem_udmabuf(size, spec[0] == 's');
	if (!strcmp(spec, "dmaheap"))
		return mem_dmaheap(size);
	if (!strncmp(spec, "vfio:", 5))
		return mem_vfio(spec + 5);
	errno = EINVAL;
	die(spec);
	return (struct mem){ 0 };
}

/* ----------------------------------------------------------------- rings */
