"""The sha256 beside the md5 that a publisher gives of a file: files of one md5 can be made on purpose.

They were computed from copies that have the publisher's md5.
"""

SHA256 = {
    # MNIST: the unpacked files of training images and labels, test images and labels
    "6bbc9ace898e44ae57da46a324031adb": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "a25bea736e30d166cdddb491f175f624": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "2646ac647ad5339dbf082846283269ea": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "27ae3e4e09519cfbb04c329615203637": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    # Fashion-MNIST, the same
    "f4a8712d7a061bf5bd6d2ca38dc4d50a": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "9018921c3c673c538a1fc5bad174d6f9": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "8181f5470baa50b63fa0f6fddb340f0a": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "15d484375f8d13e6eb1aabb0c3f46965": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    # CIFAR-10: data_batch_1 to 5 and test_batch of the binary version
    "5dd7e06a14cb22eb9f671a540d1b7c25": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "5ea93a67294ea407fff1d09f752e9692": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "942cd6a4bcdd0dd3c604fbe906cb4421": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "ae636b3ba5c66a11e91e8cb52e771fcb": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "53f37980c15c3d472c316c40844f3f0d": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "803d5f7f4d78ea53de84dbe85f74fb6d": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    # WikiText-2: the training, validation and test tokens
    "34a77ebe59551b3a3b3d8c0a2797c976": "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
    "d756d22ab2310e7e60c094bea5c5a8eb": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    "781c9418ab9414bd09e4aad825aae752": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
}
