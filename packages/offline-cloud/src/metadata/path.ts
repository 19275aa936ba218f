/** Where the metadata service of an instance is: what AWS_EC2_METADATA_SERVICE_ENDPOINT holds, behind the cloud's URL. */
export const metadataPath = (instanceId: string): string => `/_imds/${instanceId}`
